#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# snippets.py <source directory> <build directory> <compiler> [file...] - the code in the
# documentation is compiled, linked when it is a program, and run when it says "run"
#
# What a block may say is told in tools/docs/blocks.py. Without files: all Markdown of the
# tree, and the man pages that the build has made. Prints what tests/test.h prints.
import glob
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

SECONDS = 30    # for a program that is to end at once
WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wno-unused-function']


def every_file(source, build):
    pages = sorted(glob.glob(f'{build}/man/man[37]/*'))
    texts = ['README.md', 'src/README.md', 'compat/README.md'] + sorted(
        glob.glob('docs/*.md', root_dir=source) + glob.glob('docs/*/*.md', root_dir=source))
    return texts + pages


def read(source, build, name):
    path = os.path.join(source, name)
    shown = os.path.relpath(path, build) if path.startswith(build + '/') else name
    if name.endswith('.md'):
        return blocks.of_markdown(path, shown)
    found = blocks.of_page(path, shown)
    for code in found:
        # The code of a header's comment is a part of something: see snippets/.
        prelude = f'{source}/tests/tree/snippets/{os.path.basename(path)}.h'
        if 'fragment' in code.info and os.path.exists(prelude):
            with open(prelude) as file:
                code.prelude = (file.read(), 0)
    return found


class Builder:
    def __init__(self, source, build, compiler):
        self.out = f'{build}/tests/tree/snippets'
        self.lib = f'{build}/lib'
        self.compile = shlex.split(compiler) + ['-std=gnu11', '-O1', '-D_GNU_SOURCE'] + WARNINGS + \
            [f'-I{source}/include', f'-I{build}/include']
        os.makedirs(self.out, exist_ok=True)
        self.done = {}

    def command(self, code, path, program):
        command = self.compile + (['-Wno-unused'] if 'fragment' in code.info else [])
        if not code.is_program:
            return command + ['-c', '-o', program + '.o', path]
        hook = ['-Wl,--push-state,--no-as-needed', '-lweft-hook', '-Wl,--pop-state']
        return command + ['-o', program, path, f'-L{self.lib}', f'-Wl,-rpath,{self.lib}'] + \
            (hook if 'hooked' in code.info else []) + ['-lweft', '-pthread']

    def check(self, number, code):
        """None, or what is wrong with a block."""
        program = f'{self.out}/{number}'
        with open(program + '.c', 'w') as file:
            file.write(code.source())
        made = subprocess.run(self.command(code, program + '.c', program), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode:
            return made.stdout
        if 'run' not in code.info:
            return None
        if not code.is_program:
            return 'it is to run, and has no main()\n'
        return self.run(code, program)

    def run(self, code, program):
        # It may write files: not into the tree.
        where = program + '.dir'
        os.makedirs(where, exist_ok=True)
        try:
            ran = subprocess.run([program], cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return f'it still runs after {SECONDS} s\n'
        if ran.returncode:
            return f'it exits with {ran.returncode}\n' + ran.stdout + ran.stderr
        if code.output is not None and ran.stdout != code.output:
            return f'it prints\n{ran.stdout}and not\n{code.output}' + ran.stderr
        return None


def main():
    global SECONDS
    source, build, compiler = sys.argv[1:4]
    SECONDS = int(os.environ.get('SNIPPET_SECONDS', SECONDS))
    builder, codes, results = Builder(source, build, compiler), [], []
    for name in sys.argv[4:] or every_file(source, build):
        try:
            codes += read(source, build, name)
        except ValueError as error:
            results.append((str(error).split(': ')[0], str(error) + '\n'))
    # A page shows a program of the guide: the same text is compiled once.
    first = {}
    for i, code in enumerate(codes):
        key = (code.text, code.output, tuple(sorted(code.info)), code.prelude[0])
        first.setdefault(key, (i, code))
        code.key = key
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {key: pool.submit(builder.check, *job) for key, job in first.items()}
        results += [(f'{code.path}:{code.line}', futures[code.key].result()) for code in codes]
    failed = 0
    for name, problem in results:
        if problem:
            failed += 1
            print(''.join('        ' + line + '\n' for line in problem.splitlines()[:20]), end='')
        print(('FAILED  snippets.' if problem else 'ok      snippets.') + name)
    print(f'{len(results) - failed} passed, {failed} failed, 0 skipped')
    return 1 if failed or not results else 0


if __name__ == '__main__':
    sys.path.insert(0, sys.argv[1] + '/tools/docs')
    sys.dont_write_bytecode = True
    import blocks
    sys.exit(main())
