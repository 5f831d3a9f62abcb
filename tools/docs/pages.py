# SPDX-License-Identifier: MIT
#
# pages.py - man pages of headers as docstring.py has read them.
import re

import roff
from docstring import Group, sentences

# What an error means where its function says nothing more.
MEANINGS = {
    'EAGAIN': 'The call would have to wait, and its deadline is WEFT_NOWAIT.',
    'EALREADY': 'It is so already.',
    'EBADF': 'The descriptor is not open.',
    'EBUSY': 'It is in use.',
    'ECANCELED': 'The calling task has been cancelled, see weft_cancel(3).',
    'EINVAL': 'An argument is not valid.',
    'ENAMETOOLONG': 'The path is too long.',
    'ENOMEM': 'There is not enough memory.',
    'EPERM': 'The caller must not do this.',
    'ESRCH': 'The handle is stale or NULL.',
    'ETIMEDOUT': 'The deadline has passed.',
    'EAFNOSUPPORT': 'There is no address of that family.',
    'EDEADLK': 'The caller would wait for itself.',
    'EPIPE': 'The other side has closed.',
}
MENTION = re.compile(r'\b(\w+)\((?:(\d[a-z]?))?\)|-(E[A-Z0-9]+)')


class Page:
    def __init__(self, name, section, brief):
        self.name, self.section, self.brief = name, section, brief
        self.body, self.aliases, self.see = [], [], set()

    def add(self, title, *parts):
        self.body.append('.SH ' + (title if ' ' not in title else f'"{title}"'))
        self.body += [p for p in parts if p]

    def text(self, book):
        names = ', '.join(roff.literal(n) for n in [self.name] + self.aliases)
        head = [f'.TH {roff.literal(self.name)} {self.section} {book.date} "weft {book.version}" "weft"',
                '.SH NAME', f'{names} \\- {roff.words(self.brief)}']
        return '\n'.join(['.\\" SPDX-License-Identifier: MIT',
                          f'.\\" Made from {book.source_of(self)}: change it there.'] +
                         head + self.body) + '\n'


class Book:
    """All pages: headers in, files out."""

    def __init__(self, headers, umbrella, examples, version, date):
        self.headers, self.umbrella, self.version, self.date = headers, umbrella, version, date
        self.examples = examples            # page name -> [Code]
        self.sources = {}
        self.names = {d.name: g.name for h in headers for g in h.groups
                      if isinstance(g, Group) for d in g.declarations}
        # Parameters that types.h describes for all headers.
        self.common = next((h.params for h in headers if h.short == 'types'), {})
        self.problems = []
        self.pages = []
        for header in headers:
            for group in header.groups:
                if isinstance(group, Group) and group.declarations:
                    self.pages.append(self.function_page(header, group))
            self.pages.append(self.overview(header))
        self.pages.append(self.all_of_it())
        unused = set(examples) - {p.name for p in self.pages}
        for name in sorted(unused):
            self.problems.append(f'{examples[name][0].path}: the example of {name}, of which there is no page')

    def source_of(self, page):
        return self.sources[page.name, page.section]

    def files(self):
        """(section, file name, text) of each page and alias."""
        for page in self.pages:
            yield page.section, f'{page.name}.{page.section}', page.text(self)
            for alias in page.aliases:
                yield page.section, f'{alias}.{page.section}', f'.so man{page.section}/{page.name}.{page.section}\n'

    # --- parts ---------------------------------------------------------------------------

    def linked(self, text):
        """weft_x() with its section behind it, where there is such a page."""
        return re.sub(r'\b(weft_\w+)\(\)', lambda m: f'{m[1]}(3)' if m[1] in self.names else m[0], text)

    def fill(self, text):
        return roff.fill(self.linked(text))

    def mentioned(self, page, text):
        for name, section, _ in MENTION.findall(text):
            if name in self.names and self.names[name] != page.name:
                page.see.add((name, '3'))
            elif section and not name.startswith('weft'):
                page.see.add((name, section))

    def blocks(self, blocks):
        out, first = [], True
        for block in blocks:
            if block.kind in ('attributes', 'errors'):
                continue
            if block.kind == 'item':
                out += ['.IP \\(bu 3', self.fill(block.text)]
            elif block.kind in ('code', 'figure'):
                out += ['.PP', '.in +4n'] + (['.\\" code: fragment'] if block.kind == 'code' else []) + \
                    ['.EX', roff.verbatim(block.text), '.EE', '.in']
            else:
                out += ([] if first else ['.PP']) + [self.fill(block.text)]
            first = False
        return out

    def see_also(self, page):
        page.see.discard((page.name, page.section))
        order = sorted(page.see, key=lambda p: (p[1], p[0]))
        rows = [f'.BR {roff.literal(n)} ({s})' for n, s in order]
        page.add('SEE ALSO', ',\n'.join(rows).replace('),\n', ') ,\n').replace(') ,', '),'))

    def description(self, what):
        """The blocks of a header or group; a text at their head in any case."""
        blocks = [b for b in what.blocks if b.kind not in ('attributes', 'errors')]
        if not blocks or blocks[0].kind != 'text':
            return [self.fill(capital(what.brief) + '.')] + self.blocks(blocks)
        return self.blocks(blocks)

    # --- a function ------------------------------------------------------------------------

    def prototype(self, declaration):
        if declaration.macro and not declaration.result:
            args = ', '.join(roff.italic(name) for _, name in declaration.params)
            return f'{roff.bold(declaration.name)}({args})'
        params = []
        for declarator, name in declaration.params:
            # In bold but for the name.
            before, after = re.split(rf'\b{name}\b(?!.*\b{name}\b)', declarator, maxsplit=1)
            params.append((roff.bold(before) if before else '') + roff.italic(name) +
                          (roff.bold(after) if after else ''))
        result = declaration.result + ('' if declaration.result.endswith('*') else ' ')
        lines = [roff.bold(f'{result}{declaration.name}(')]
        width = len(result) + len(declaration.name) + 1
        indent, used = width, width
        for i, (declarator, _) in enumerate(declaration.params):
            if i and used + len(declarator) + 2 > 76:
                lines[-1] += ','
                indent = indent if indent < 40 else 8
                lines.append('\\ ' * indent)
                used = indent
            elif i:
                lines[-1] += ', '
            lines[-1] += params[i]
            used += len(declarator) + 2
        if not params:
            lines[-1] += roff.bold('void')
        return '\n'.join(lines) + roff.bold(');')

    def synopsis(self, header, group):
        rows = ['.nf', roff.bold(f'#include <{header.name}>'), '.PP']
        rows += [self.prototype(d) for d in group.declarations]
        package = 'weft-hook' if header.short == 'hook' else 'weft'
        rows += ['.PP', f'cc \\&... $(\\fBpkg\\-config \\-\\-cflags \\-\\-libs {roff.literal(package)}\\fR)', '.fi']
        return rows

    def behind(self, group):
        """The group of the function that a macro calls, which says what the macro's does not."""
        for name in [n for d in group.declarations for n in d.called]:
            for header in self.headers:
                for other in header.groups:
                    if isinstance(other, Group) and other is not group and \
                            name in [d.name for d in other.declarations]:
                        return other
        return None

    def parameters(self, header, group, page):
        rows, seen = [], set()
        behind = self.behind(group)
        for declaration in group.declarations:
            for _, name in declaration.params:
                if name in seen:
                    continue
                seen.add(name)
                text = group.params.get(name) or behind and behind.params.get(name) or \
                    header.params.get(name) or self.common.get(name)
                if text:
                    self.mentioned(page, text)
                    rows += ['.TP', roff.italic(name), self.fill(sentence(text))]
                elif not self.is_told_of(group, name):
                    self.problems.append(f'{header.name}: {page.name}: nothing is said of @{name}')
        for name in set(group.params) - seen:
            self.problems.append(f'{header.name}: {page.name}: has no parameter {name}')
        return rows

    @staticmethod
    def is_told_of(group, name):
        text = ' '.join([group.brief, group.returns] + [b.text for b in group.blocks])
        return re.search(rf'@{name}\b', text) is not None

    @staticmethod
    def lead(group, text):
        """A text that begins with a parameter's name, which is no word to be capitalised."""
        names = {name for d in group.declarations for _, name in d.params}
        first = re.match(r'\w*', text)[0]
        return '@' + text if first in names and text[len(first):len(first) + 1] in ('', ' ', ',') else text

    def result(self, header, group, page):
        void = all(d.result == 'void' or d.macro and not d.result for d in group.declarations)
        if group.returns:
            text, tail, errors, more = cut_returns(group.returns)
            if text == '0.' and errors + more:
                text = '0 on success.'
            if text:
                page.add('RETURN VALUE', self.fill(text))
            if errors and not text:
                self.problems.append(f'{header.name}: {page.name}: what does it return without an error?')
            shared = [m for m in more if re.match(r'a shared error|as above', m)]
            more = [m for m in more if m not in shared]
            if shared:
                _, _, common, others = cut_returns('0, ' + header.shared)
                names = {e for e, _ in errors}
                errors += [(e, why) for e, why in common if e not in names]
                more += [m for m in others if m not in more]
                if not header.shared:
                    self.problems.append(f'{header.name}: {page.name}: there are no shared errors')
            if not errors + more and tail:
                page.body.append(self.fill(tail))
            if errors or more:
                if text:
                    page.body.append('On failure a negative error code is returned.')
                page.body += [self.fill(tail)] if tail else []
                rows = []
                for name, why in errors:
                    why = self.lead(group, '' if why == 'WEFT_NOWAIT' else why)
                    text = capital(why).rstrip('.') + '.' if why else MEANINGS.get(name, '')
                    if not text:
                        self.problems.append(f'{header.name}: {page.name}: when is it -{name}?')
                    rows += ['.TP', roff.bold('-' + name), self.fill(text)]
                page.add('ERRORS', *rows, *self.others(rows, more))
        elif void:
            page.add('RETURN VALUE', 'None.')
        elif self.behind(group):
            page.add('RETURN VALUE', self.fill(f'As of {self.behind(group).name}().'))
            page.see.add((self.behind(group).name, '3'))
        else:
            self.problems.append(f'{header.name}: {page.name}: no "Return:"')

    def attributes(self, header, group, page):
        rows = []
        behind = self.behind(group)
        for key, title in (('cancel', 'Cancellation'), ('thread', 'Threads'), ('signal', 'Signals')):
            text = group.attributes.get(key) or behind and behind.attributes.get(key) or \
                header.attributes.get(key) or (key == 'signal' and 'not async-signal-safe')
            if text:
                rows += ['.TP', title, self.fill(capital(text) + '.')]
                self.mentioned(page, text)
            else:
                self.problems.append(f'{header.name}: {page.name}: nothing is said of {title.lower()}')
        page.add('ATTRIBUTES', *rows)

    def example(self, page):
        for i, code in enumerate(self.examples.get(page.name, [])):
            info = ' '.join(sorted(code.info))
            if 'fragment' in code.info:
                self.problems.append(f'{code.path}:{code.line}: the example of a page is a whole program')
            rows = [f'.\\" code: {info}'.rstrip(), '.EX', roff.verbatim(code.text), '.EE']
            if code.output is not None:
                rows += ['.PP', 'It prints:', '.PP', '.\\" code: output', '.EX', roff.verbatim(code.output), '.EE']
            if i:
                page.body += ['.PP'] + rows
            else:
                page.add('EXAMPLES', *rows)

    def function_page(self, header, group):
        page = Page(group.name, '3', group.brief)
        self.sources[page.name, '3'] = f'include/{header.name}'
        page.aliases = [d.name for d in group.declarations if d.name != page.name]
        if not group.title and not group.brief:
            self.problems.append(f'{header.name}: {page.name}: no comment')
        page.add('SYNOPSIS', *self.synopsis(header, group))
        params = self.parameters(header, group, page)
        page.add('DESCRIPTION', *self.description(group), *params)
        self.result(header, group, page)
        self.attributes(header, group, page)
        self.example(page)
        text = ' '.join([group.brief, group.returns] + [b.text for b in group.blocks])
        self.mentioned(page, text)
        page.see.add((f'weft_{header.short}', '7'))
        self.see_also(page)
        return page

    # --- overviews ---------------------------------------------------------------------------

    def overview(self, header):
        page = Page(f'weft_{header.short}', '7', header.brief)
        self.sources[page.name, '7'] = f'include/{header.name}'
        package = 'weft-hook' if header.short == 'hook' else 'weft'
        page.add('SYNOPSIS', '.nf', roff.bold(f'#include <{header.name}>'), '.PP',
                 f'cc \\&... $(\\fBpkg\\-config \\-\\-cflags \\-\\-libs {roff.literal(package)}\\fR)', '.fi')
        page.add('DESCRIPTION', *self.description(header))
        self.errors_of_all(header, page)
        functions, types = [], []
        for group in header.groups:
            if isinstance(group, str):
                functions.append(f'.SS {capital(group.split(":")[0])}')
            elif group.declarations:
                names = ', '.join(roff.bold(d.name) + '(3)' for d in group.declarations)
                functions += ['.TP', names, self.fill(capital(group.brief) + '.')]
                page.see.add((group.name, '3'))
            else:
                code = without_private(group.code)
                if not code:
                    continue
                types += ['.PP', '.EX', roff.verbatim(code), '.EE']
                if group.brief:
                    # The sentences after the first one go on in its paragraph.
                    types += ['.PP', self.fill(capital(group.brief) + '.')] + self.blocks(group.blocks)
                if group.params:
                    for name, text in group.params.items():
                        types += ['.TP', roff.italic(name), self.fill(sentence(text))]
                if group.returns:
                    types += ['.PP', self.fill('It returns ' + group.returns)]
        while functions and functions[-1].startswith('.SS'):
            functions.pop()
        if functions:
            page.add('FUNCTIONS', *functions)
        if types:
            page.add('TYPES AND CONSTANTS', *types[1:])
        self.example(page)
        page.see.add(('weft', '7'))
        for block in header.blocks:
            self.mentioned(page, block.text)
        page.see = {(n, s) for n, s in page.see if not (s == '3' and n in self.names)} or page.see
        self.see_also(page)
        return page

    def errors_of_all(self, header, page):
        if not header.shared:
            return
        _, _, errors, more = cut_returns('0, ' + header.shared)
        rows = ['Each of the functions may return these; its own page has all of its errors.']
        for name, why in errors:
            rows += ['.TP', roff.bold('-' + name),
                     self.fill(capital(why).rstrip('.') + '.' if why else MEANINGS[name])]
        page.add('ERRORS', *rows, *self.others(rows, more))

    def others(self, rows, more):
        """The errors that are not called by name."""
        text = ', or '.join(more) + '.'
        if not more:
            return []
        return ['.PP', self.fill('Also ' + text)] if rows else [self.fill(capital(text))]

    def all_of_it(self):
        page = Page('weft', '7', self.umbrella.brief)
        self.sources['weft', '7'] = 'include/weft/weft.h'
        page.add('SYNOPSIS', '.nf', roff.bold('#include <weft/weft.h>'), '.PP',
                 'cc \\&... $(\\fBpkg\\-config \\-\\-cflags \\-\\-libs weft\\fR)', '.fi')
        page.add('DESCRIPTION', *self.blocks(self.umbrella.blocks))
        rows = []
        for header in self.headers:
            rows += ['.TP', f'{roff.bold("weft_" + header.short)}(7)', self.fill(capital(header.brief) + '.')]
        page.add('HEADERS', *rows)
        self.example(page)
        page.see |= {(f'weft_{h.short}', '7') for h in self.headers}
        self.see_also(page)
        return page


def capital(text):
    is_name = re.match(r'weft_|libc\b|[a-z]+_|\w+\(', text)
    return text[:1].upper() + text[1:] if re.match(r'[a-z]', text) and not is_name else text


def sentence(text):
    return capital(text) if text[-1] in '.:!?' else capital(text) + '.'


def without_private(code):
    code = re.sub(r'^#define WEFT__.*(?:\\\n.*)*$\n?', '', code, flags=re.M)
    code = re.sub(r'^(#define \w+(?:\([^)]*\))?)\s*\\\n(?:.*\\\n)*.*$', r'\1 ...', code, flags=re.M)
    code = re.sub(r'^.*\bweft__\w+(\[\d+\])?;.*\n(?!.*\bweft__)', '\t...\n', code, flags=re.M)
    code = re.sub(r'^.*\bweft__\w+.*;\n', '', code, flags=re.M)
    return code.replace('WEFT__OBJECT ', '').strip('\n')


ERROR = re.compile(r'(-E[A-Z0-9]+(?: (?:or|and) -E[A-Z0-9]+)*)(?: \((.*)\))?$', re.S)
OTHERS = re.compile(r'(the |an |other )?errors? of|whatever|what \S+ failed with|a shared error|as above')


def cut_at(mark, text):
    """The parts of a text between marks, but for those in brackets."""
    parts, depth = [''], 0
    for c in text:
        depth += c in '([' and 1 or c in ')]' and -1 or 0
        if depth == 0 and c == mark:
            parts.append('')
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip()]


def cut_items(text):
    """The text at its semicolons, which are kept, and commas; '-EX: this, and that' stays whole."""
    items = []
    for i, part in enumerate(cut_at(';', text)):
        found = [part] if re.match(r'(or )?-E[A-Z0-9]+: ', part) else cut_at(',', part)
        items += ['; ' * (i > 0) + found[0]] + found[1:]
    return items


def cut_sentence(text, errors, others):
    """Sort the failures in a sentence of Return out; what is left is success."""
    alone = re.match(r'-(E[A-Z0-9]+): ([^;]*)$', text, re.S)
    if alone:
        errors.append(alone.groups())
        return ''
    success, failed = [], False
    condition = re.match(r'((?:with|when|where|after|in|for) [^:(]*): ', text, re.I)
    when = condition[1].lower() if condition else ''
    for item in cut_items(text[condition.end():] if condition else text):
        plain = re.sub(r'^;?\s*(or |and )?', '', item)
        m = ERROR.match(plain)
        named = re.match(r'-(E[A-Z0-9]+): (.*)', plain, re.S)
        if named:
            errors.append(named.groups())
            failed = True
        elif m:
            why = m[2] or ''
            errors += [(n, f'{why}; {when}' if why and when else why or when)
                       for n in re.findall(r'E[A-Z0-9]+', m[1])]
            failed = True
        elif failed or OTHERS.match(plain):
            others.append(plain)
            failed = True
        else:
            success.append(item)
    if not success:
        return ''
    left = re.sub(r',? (or|and)$', '', ', '.join(success).replace(', ;', ';'))
    return (condition[0] if condition else '') + left


def cut_returns(text):
    """'0, -EINVAL (why), or what x(2) failed with. More.' as (success, more, errors, other failures)."""
    errors, others, kept = [], [], []
    for i, part in enumerate(sentences(text.strip())):
        # Later sentences are cut only where they are nothing but errors.
        if i == 0 or re.match(r'(-E[A-Z]|[^:]*: -E[A-Z])', part):
            part = cut_sentence(part.rstrip('.'), errors, others)
            part = part and part + '.'
        if part:
            kept.append(capital(part))
        elif i == 0:
            kept.append('')
    return kept[0], ' '.join(kept[1:]), errors, others
