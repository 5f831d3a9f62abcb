# SPDX-License-Identifier: MIT
#
# roff.py - text as man(7) macros want it.
import re


def escape(text):
    """Plain characters, wherever they stand in a line that begins with a letter."""
    return text.replace('\\', '\\e')


def literal(text):
    """Characters that must come out as they are: code, error names, options."""
    return escape(text).replace('-', '\\-').replace("'", '\\(aq').replace('`', '\\(ga') \
        .replace('^', '\\(ha').replace('~', '\\(ti')


def unliteral(text):
    """The inverse of literal(), for who reads code out of a page."""
    for roff, plain in (('\\&', ''), ('\\-', '-'), ('\\(aq', "'"), ('\\(ga', '`'), ('\\(ha', '^'),
                        ('\\(ti', '~'), ('\\e', '\\')):
        text = text.replace(roff, plain)
    return text


def bold(text):
    return '\\fB' + literal(text) + '\\fR'


def italic(text):
    return '\\fI' + literal(text) + '\\fR'


WORD = re.compile(r'@\w+'                                     # a parameter
                  r'|\*?\b[a-z_][\w]*\(\d[a-z]?\)'            # open(2)
                  r'|\b_?[a-z]\w*\(\)'                        # weft_yield()
                  r'|\b_?weft_\w+'
                  r'|-E[A-Z0-9]+\b|\bWEFT_\w*[A-Z0-9]|\bE[A-Z0-9]{3,}\b|\bSIG[A-Z0-9]{2,}\b|\b[A-Z]{2,}(?:_[A-Z]+)+\b'
                  r'|\bNULL\b|<[\w./]+\.h>|\b(?:weft|docs|tests)/[\w.]+')


def words(text):
    """Running text: parameters in italics, functions and constants in bold."""
    out, end = '', 0
    for m in WORD.finditer(text):
        out += escape(text[end:m.start()])
        word, end = m.group(), m.end()
        if word[0] == '@':
            out += italic(word[1:])
        elif re.search(r'\(\d[a-z]?\)$', word):
            name, section = word[:-1].split('(')
            out += bold(name) + f'({section})'
        elif word.endswith('()'):
            out += bold(word[:-2]) + '()'
        elif word.startswith('docs/') or word.startswith('tests/'):
            out += italic(word)
        else:
            out += bold(word)
    out += escape(text[end:])
    return out


def line(text):
    """A line of text that is no request, whatever it begins with."""
    return '\\&' + text if text[:1] in ".'" else text


def fill(text):
    """A paragraph: a sentence a line, as roff likes it."""
    parts = re.split(r'(?<=[.:!?])\s+(?=[A-Z@*"<])', text.strip())
    return '\n'.join(line(words(p)) for p in parts)


def verbatim(text):
    """Text whose lines stay, without its common indentation."""
    rows = [row.expandtabs(8) for row in text.strip('\n').split('\n')]
    indent = min((len(row) - len(row.lstrip()) for row in rows if row.strip()), default=0)
    return '\n'.join(line(literal(row[indent:])) for row in rows)
