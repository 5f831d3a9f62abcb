#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# web.py <source directory> <man page directory> <output directory> - everything as HTML
#
# The Markdown of the tree lies where it lies there, as .html; the pages are in man3/ and
# man7/. Links between them are followed, names of functions lead to their pages, and a
# link to a public header leads to the page of that header. Links to what is not rendered
# become plain text. lowdown does the Markdown, mandoc the pages.
import glob
import html
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only

NAVIGATION = ('<nav><a href="{up}index.html">weft</a> &middot; <a href="{up}docs/guide/README.html">Guide</a>'
              ' &middot; <a href="{up}man7/weft.7.html">Man pages</a></nav>\n')
FRAME = ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
         '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
         '<title>{title}</title>\n<link rel="stylesheet" href="{up}style.css">\n</head>\n<body>\n'
         '{navigation}{body}</body>\n</html>\n')


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


class Site:
    def __init__(self, source, man, out):
        self.source, self.man, self.out = source, man, out
        self.texts = ['README.md', 'src/README.md', 'compat/README.md'] + sorted(
            glob.glob('docs/*.md', root_dir=source) + glob.glob('docs/*/*.md', root_dir=source))
        self.pages = {os.path.basename(p): os.path.basename(os.path.dirname(p))
                      for p in glob.glob(f'{man}/man[37]/*')}

    def write(self, name, title, body):
        up = '../' * name.count('/')
        os.makedirs(os.path.dirname(f'{self.out}/{name}'), exist_ok=True)
        with open(f'{self.out}/{name}', 'w') as file:
            file.write(FRAME.format(title=html.escape(title), up=up, body=body,
                                    navigation=NAVIGATION.format(up=up)))

    def page(self, name, section):
        """Where the page of a function is, an alias too, from the root; or None."""
        file = f'{name}.{section}'
        return f'{self.pages[file]}/{file}.html' if file in self.pages else None

    # --- Markdown ------------------------------------------------------------------------

    def target(self, text, href):
        """What a link of a text becomes; None: it leads nowhere here."""
        path, mark, anchor = href.partition('#')
        if re.match(r'\w+:', href) or not path:
            return href
        inside = os.path.normpath(os.path.join(os.path.dirname(text), path))
        up = '../' * text.count('/')
        if inside in self.texts:
            return up + re.sub(r'\.md$', '.html', inside) + mark + anchor
        header = re.match(r'include/weft/(\w+)\.h$', inside)
        if header:
            page = self.page('weft_' + header[1], 7) or self.page('weft', 7)
            return up + page
        if inside.endswith('.svg'):
            os.makedirs(os.path.dirname(f'{self.out}/{inside}'), exist_ok=True)
            shutil.copyfile(f'{self.source}/{inside}', f'{self.out}/{inside}')
            return up + inside
        return None

    def text(self, name):
        body = run('lowdown', '-Thtml', '--html-no-skiphtml', '--html-no-escapehtml', f'{self.source}/{name}')
        up = '../' * name.count('/')

        def link(m):
            target = self.target(name, html.unescape(m[1]))
            return f'<a href="{html.escape(target)}"{m[2]}>{m[3]}</a>' if target else m[3]

        def picture(m):
            return f'src="{self.target(name, m[1]) or m[1]}"'

        def function(m):
            page = self.page(m[1], 3)
            return f'<a href="{up}{page}"><code>{m[1]}{m[2]}</code></a>' if page else m[0]

        body = re.sub(r'<!--.*?-->\n?', '', body, flags=re.S)
        body = re.sub(r'<a href="([^"]*)"([^>]*)>(.*?)</a>', link, body, flags=re.S)
        body = re.sub(r'src="([^":]*)"', picture, body)
        body = re.sub(r'<code>(weft_\w+)((?:\(\))?)</code>(?!</a>)', function, body)
        body = body.replace('language-c run', 'language-c').replace('language-c fragment', 'language-c') \
            .replace('language-c before', 'language-c')
        title = re.search(r'<h1[^>]*>(.*?)</h1>', body, re.S)
        self.write(re.sub(r'\.md$', '.html', name), re.sub(r'<[^>]*>', '', title[1]) if title else name, body)

    # --- man pages -----------------------------------------------------------------------

    def man_page(self, file, section):
        path = f'{self.man}/{section}/{file}'
        with open(path) as page:
            alias = re.match(r'\.so (\S+)', page.read())
        if alias:
            path = f'{self.man}/{alias[1]}'
        body = run('mandoc', '-Thtml', '-Ofragment', path)

        def link(m):
            page = self.page(m[1], m[2])
            return f'<a href="../{page}">{m[1]}</a>({m[2]})' if page else m[0]

        body = re.sub(r'<b>([\w]+)</b>\((\d)\)', link, body)
        name, number = file.rsplit('.', 1)
        self.write(f'{section}/{file}.html', f'{name}({number})', body)

    def all(self):
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        shutil.copyfile(os.path.dirname(os.path.abspath(__file__)) + '/style.css', f'{self.out}/style.css')
        for name in self.texts:
            self.text(name)
        for file, section in sorted(self.pages.items()):
            self.man_page(file, section)
        shutil.copyfile(f'{self.out}/README.html', f'{self.out}/index.html')


def main():
    source, man, out = sys.argv[1:]
    missing = [p for p in ('lowdown', 'mandoc') if not shutil.which(p)]
    if missing:
        print(f'html: {" and ".join(missing)} missing (Debian: apt-get install {" ".join(missing)})',
              file=sys.stderr)
        return 1
    Site(source, man, out).all()
    print(f'html: {out}/index.html')
    return 0


if __name__ == '__main__':
    sys.exit(main())
