#!/bin/bash
# SPDX-License-Identifier: MIT
#
# html.sh <source directory> <build directory> - links of the texts lead somewhere, before
# and after they have become HTML
set -u
source=$1 build=$2
cd "$source" || exit 1
. tests/test.sh

# links <file of Markdown> - each relative link and picture, without its anchor
links() { sed '/^```/,/^```/d; s/`[^`]*`//g' "$1" | grep -oE '\]\([^)# ]+' | cut -c3- | grep -vE '^[a-z]+:'; }
texts_lead_on()
{
	for text in README.md src/README.md compat/README.md docs/*.md docs/*/*.md; do
		links "$text" | while read -r link; do
			[ -e "$(dirname "$text")/$link" ] || echo "$text: no $link"
		done
	done | { ! grep .; }
}
check texts_lead_on texts_lead_on

if ! command -v python3 >/dev/null 2>&1 || ! command -v lowdown >/dev/null 2>&1 ||
	! command -v mandoc >/dev/null 2>&1; then
	skip html "no python3, lowdown or mandoc"
	finish
fi
out=$build/tests/tree/html
make_html() { tools/docs/man.py "$source" "$out/pages" && tools/docs/web.py "$source" "$out/pages" "$out/html"; }
check made make_html

html_leads_on()
{
	python3 - "$out/html" <<-'END'
		import glob, os, re, sys
		root = sys.argv[1]
		pages = glob.glob(root + '/**/*.html', recursive=True)
		dead = []
		for page in pages:
		    with open(page) as file:
		        links = set(re.findall(r'(?:href|src)="([^"#]+)', file.read()))
		    dead += [f'{page}: no {link}' for link in links if not re.match(r'[a-z]+:', link) and
		             not os.path.exists(os.path.join(os.path.dirname(page), link))]
		print('\n'.join(dead))
		sys.exit(bool(dead) or len(pages) < 100)
	END
}
check html_leads_on html_leads_on

# Function names in the guide lead to their pages, and references between these too.
linked()
{
	grep -q 'href="../../man3/weft_spawn.3.html"' "$out/html/docs/guide/task.html" &&
		grep -q 'href="../man7/weft_task.7.html"' "$out/html/man3/weft_join.3.html"
}
check linked linked

# Preludes and what is for the tools only is not seen.
hidden() { ! grep -rlE 'prelude|&lt;!--|<!-- man' "$out/html/docs/guide"; }
check hidden hidden
finish
