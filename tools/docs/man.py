#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# man.py [--check] <source directory> <output directory> - the man pages
#
# A page of section 3 for each public function and macro, one of section 7 for each
# header, weft(7) for all: from the comments of include/weft and from the guide's
# examples. With --check what a page must say and no comment does is an error.
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only

import blocks
from docstring import read_header
from pages import Book


def date_of(source):
    """Of the last change, where that is known, so that the same tree gives the same pages."""
    epoch = os.environ.get('SOURCE_DATE_EPOCH')
    if epoch:
        return time.strftime('%Y-%m-%d', time.gmtime(int(epoch)))
    try:
        said = subprocess.run(['git', '-C', source, 'log', '-1', '--format=%cs', '--', 'include/weft', 'docs/guide'],
                              capture_output=True, text=True).stdout.strip()
    except OSError:
        said = ''
    newest = max(os.path.getmtime(f'{source}/include/weft/{n}') for n in os.listdir(f'{source}/include/weft'))
    return said or time.strftime('%Y-%m-%d', time.gmtime(newest))


def read_book(source):
    include = f'{source}/include/weft'
    names = sorted(n for n in os.listdir(include)
                   if n.endswith('.h') and not n.startswith('switch_') and not n.endswith('_inline.h'))
    headers = [read_header(f'{include}/{n}', f'weft/{n}') for n in names]
    umbrella = next(h for h in headers if h.short == 'weft')
    headers.remove(umbrella)
    examples = {}
    guide = f'{source}/docs/guide'
    for name in sorted(os.listdir(guide)) if os.path.isdir(guide) else []:
        if name.endswith('.md'):
            for code in blocks.of_markdown(f'{guide}/{name}', f'docs/guide/{name}'):
                for page in code.pages:
                    examples.setdefault(page, []).append(code)
    with open(f'{include}/types.h') as file:
        version = re.search(r'#define WEFT_VERSION "(.*)"', file.read()).group(1)
    return Book(headers, umbrella, examples, version, date_of(source))


def main():
    args = sys.argv[1:]
    strict = '--check' in args
    source, out = [a for a in args if a != '--check']
    book = read_book(source)
    for section in '37':
        shutil.rmtree(f'{out}/man{section}', ignore_errors=True)
        os.makedirs(f'{out}/man{section}')
    for section, name, text in book.files():
        with open(f'{out}/man{section}/{name}', 'w') as file:
            file.write(text)
    for problem in book.problems if strict else []:
        print(f'man: {problem}', file=sys.stderr)
    return 1 if strict and book.problems else 0


if __name__ == '__main__':
    sys.exit(main())
