# SPDX-License-Identifier: MIT
#
# blocks.py - the code of the documentation: fenced blocks of Markdown, .EX of man pages.
#
#	```c             a file of its own: it is compiled, and linked when it has a main()
#	```c run         and run; what it prints is what the next block, ```output, says
#	```c fragment    statements: compiled within a function, below the prelude; its
#	                 #include lines and functions in it are moved out; { ... } is an empty block
#	```c hooked ...  linked with libweft-hook, too
#	```c before      of another library, which is not here: it is shown, and not compiled
#
#	<!-- prelude     declarations that the fragments after it need; until the next one
#	...              or the end of the file
#	-->
#	<!-- man: weft_spawn weft_join -->   the next block is the EXAMPLE of these pages
import re

import roff

INFO = {'run', 'fragment', 'hooked'}

FRAGMENT_HEAD = '''#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>
'''


class Code:
    def __init__(self, path, line, info, text, prelude=('', 0)):
        self.path, self.line, self.text, self.prelude = path, line, text, prelude
        self.info = set(info)
        self.output = None      # what it prints, when that is told
        self.pages = []         # of which it is the example
        unknown = self.info - INFO
        if unknown:
            raise ValueError(f'{path}:{line}: what is "{" ".join(sorted(unknown))}"?')

    @property
    def is_program(self):
        return re.search(r'^int main\(', self.text, re.M) is not None

    def source(self):
        """What the compiler gets; its messages speak of the file that the block stands in."""
        at = f'#line {self.line + 1} "{self.path}"\n'
        if 'fragment' not in self.info:
            return at + self.text
        # What stands outside of functions moves there; its lines stay behind, empty.
        outside = re.compile(r'^#include [^\n]*\n|^static [^\n;]*\n\{\n.*?^\}\n', re.M | re.S)
        body = outside.sub(lambda m: '\n' * m[0].count('\n'), self.text).replace('{ ... }', '{ }')
        includes, functions = [''.join(f for f in outside.findall(self.text) if f.startswith('#') == want)
                               for want in (True, False)]
        prelude, line = self.prelude
        return (FRAGMENT_HEAD + includes + f'#line {line + 1} "{self.path}"\n' + prelude + functions +
                f'int fragment(void);\nint fragment(void)\n{{\n{at}{body}\treturn 0;\n}}\n')


def of_markdown(path, shown):
    """Every block of C in a file, named by shown in messages."""
    with open(path) as file:
        lines = file.read().split('\n')
    found, prelude, pages, last = [], ('', 0), [], None
    i = 0
    while i < len(lines):
        line, i = lines[i], i + 1
        fence = re.match(r'(\s*)```(.*)$', line)
        if line.startswith('<!-- man:'):
            pages = line.removeprefix('<!-- man:').removesuffix('-->').split()
        elif line.startswith('<!-- prelude'):
            start = i
            while i < len(lines) and lines[i] != '-->':
                i += 1
            prelude = ('\n'.join(lines[start:i]) + '\n', start)
            i += 1
        elif fence:
            start = i
            while i < len(lines) and lines[i].strip() != '```':
                i += 1
            if i == len(lines):
                raise ValueError(f'{shown}:{start}: the block has no end')
            text = '\n'.join(lines[start:i]) + '\n'
            i += 1
            info = fence.group(2).split()
            if info and info[0] in ('c', 'C'):
                if fence.group(1):
                    raise ValueError(f'{shown}:{start}: a block of C is not indented')
                last = None
                if info[1:] != ['before']:
                    last = Code(shown, start, info[1:], text, prelude)
                    last.pages, pages = pages, []
                    found.append(last)
            elif info and info[0] == 'output':
                if last is None or 'run' not in last.info or last.output is not None:
                    raise ValueError(f'{shown}:{start}: this is the output of no "c run"')
                last.output = text
            if pages:
                raise ValueError(f'{shown}:{start}: the example of a page is a block of C')
    return found


def of_page(path, shown):
    """Every .EX of a man page; pages.py has noted in a comment what it is."""
    with open(path) as file:
        lines = file.read().split('\n')
    found, info, i, last = [], None, 0, None
    while i < len(lines):
        line, i = lines[i], i + 1
        if line.startswith('.\\" code:'):
            info = line.removeprefix('.\\" code:').split()
        elif line == '.EX' and info is not None:
            start = i
            while lines[i] != '.EE':
                i += 1
            text = roff.unliteral('\n'.join(lines[start:i]) + '\n')
            if info == ['output']:
                last.output = text
            else:
                last = Code(shown, start, info, text)
                found.append(last)
            info = None
    return found
