# SPDX-License-Identifier: MIT
#
# docstring.py - what a public header says: a comment at its head, and then groups, each
# a /** comment */ with the declarations that stand below it up to a blank line.
#
# What is understood in a comment:
#	weft_name - brief                   first line; without one: the first sentence
#	@name: text                         a parameter, or @several, @names; at a header's head: of all functions
#	Return: text                        up to the end of the paragraph; Return, then: text
#	0, -EINVAL (why).                   a sentence that begins so is a short Return
#	-EINVAL (why)                       an error, within Return
#	as above; a shared error            in Return: what "Errors that all share:" at the head lists
#	Cancellation point. Any thread ...  sentences about who may call, see ATTRIBUTES
#	Where nothing else is said: ...     the same for a whole header, at its head
#	- text                              indented: an item of a list
#	indented text                       a figure; by a tab, and with a semicolon: code
import re

# Who may call, when. A sentence that begins so leaves the description.
ATTRIBUTES = {
    'cancel': re.compile(r'^(an? |not a |no )?cancellation point', re.I),
    'signal': re.compile(r'^(not |nor )?async-signal-safe', re.I),
    'thread': re.compile(r'^(any (thread|task|number of)|only (the|a) (thread|task|main)'
                         r'|(the|a) (calling )?(thread|task|main task)\b[^.]* only|legal from any'
                         r'|not thread-safe|one (thread|task) at a time|inside (of )?(an? task|tasks|a coroutine))', re.I),
}


class Block:
    """A paragraph, item, figure or piece of code of a comment."""

    def __init__(self, kind, text):
        self.kind, self.text = kind, text


class Declaration:
    """A function or a function-like macro. params: [(type, name)]; a macro's types are ''."""

    def __init__(self, name, result, params, macro=False):
        self.name, self.result, self.params, self.macro = name, result, params, macro
        self.called = []        # a macro's: functions of weft in its body


class Group:
    def __init__(self, doc, code, declarations):
        self.code, self.declarations = code, declarations
        self.title, self.brief, self.blocks, self.params = '', '', [], {}
        self.returns, self.attributes = '', {}
        if doc is not None:
            read_doc(self, doc)

    @property
    def name(self):
        names = [d.name for d in self.declarations]
        return self.title if self.title in names else names[0]


class Header:
    def __init__(self, name):
        self.name = name        # weft/task.h
        self.groups = []        # Group, or a str: the words of a "/* --- words --- */"
        self.private = []       # Declarations of weft__names, for the types of macros
        self.title, self.brief, self.blocks, self.params = '', '', [], {}
        self.shared, self.attributes = '', {}

    @property
    def short(self):
        return self.name.split('/')[1].removesuffix('.h')

    def declarations(self):
        return [d for g in self.groups if isinstance(g, Group) for d in g.declarations]


# --- comments ----------------------------------------------------------------------------

def comment_lines(comment):
    """The lines of a comment without its frame; indentation within is kept."""
    lines = comment.strip().removeprefix('/**').removeprefix('/*').removesuffix('*/').split('\n')
    lines = [re.sub(r'^\s*\*( |(?=\t)|$)', '', line).rstrip() for line in lines]
    lines[0] = lines[0].strip()
    return lines


def sentences(text):
    """'e.g.' and 'a.b' do not end a sentence: a blank and a large letter (or @, -, *) must follow."""
    return re.split(r'(?<=[.])\s+(?=[A-Z@*\-"<]|weft|[01](?:,|;|:| or|\.$|$))', text)


def cut_blocks(lines):
    """The lines of a comment as Blocks, and its @name: entries."""
    blocks, params, kind, name = [], {}, None, None
    for line in lines:
        if not line.strip():
            if kind in ('code', 'figure'):
                blocks[-1].text += '\n'
            else:
                kind = None
            name = None
            continue
        entry = re.match(r'(@\w+(?:, @\w+)*):\s+(.*)', line)
        if entry:
            name, kind = re.findall(r'\w+', entry.group(1)), None
            params.update((n, entry.group(2)) for n in name)
        elif name and re.match(r'\s', line):
            params.update((n, params[n] + ' ' + line.strip()) for n in name)
        elif re.match(r'\s+- ', line):
            kind, name = 'item', None
            blocks.append(Block('item', line.strip()[2:]))
        elif kind == 'item' and re.match(r'\s', line):
            blocks[-1].text += ' ' + line.strip()
        elif re.match(r'\t|  ', line):
            want = 'code' if line[0] == '\t' else 'figure'
            if kind != want:
                blocks.append(Block(want, ''))
                kind = want
            blocks[-1].text += line + '\n'
        else:
            name = None
            if kind != 'text':
                blocks.append(Block('text', ''))
                kind = 'text'
            blocks[-1].text = (blocks[-1].text + ' ' + line.strip()).strip()
    for block in blocks:
        # Code is what has statements; the rest is a table or a picture.
        if block.kind == 'code' and not re.search(r'[;{]\s*(//.*|/\*.*)?$', block.text, re.M):
            block.kind = 'figure'
    return blocks, params


def take_attributes(text, into):
    """Take the sentences about who may call out of a text."""
    rest = []
    for sentence in sentences(text):
        if any(p.match(sentence) for p in ATTRIBUTES.values()):
            read_attributes(sentence, into)
        else:
            rest.append(sentence)
    return ' '.join(rest)


def read_attributes(text, into):
    last = None
    for clause in re.split(r';\s+|(?<=\.)\s+|,\s+(?=(?:not )?async-signal-safe)', text.strip()):
        clause = clause.strip().rstrip('.')
        for key, pattern in ATTRIBUTES.items():
            if pattern.match(clause):
                into[key] = into[key] + '; ' + clause if key in into and key == last else clause
                last = key
                break
        else:
            if last is None:
                raise ValueError(f'"{clause}": neither about cancellation nor threads nor signals')
            into[last] += '; ' + clause


def read_doc(group, doc):
    lines = comment_lines(doc)
    while lines and not lines[0]:
        lines.pop(0)
    titled = re.match(r'(weft_\w+)(?:, weft_\w+)*(?: \.\.\.)? - ', lines[0])
    brief_lines = []
    if titled:
        group.title = titled.group(1)
        lines[0] = lines[0][titled.end():]
        while lines and lines[0].strip() and not re.match(r'@\w+[:,]|\s', lines[0]):
            brief_lines.append(lines.pop(0).strip())
        text = ' '.join(brief_lines)
        if re.match(r'0[ ,:]|Return:', text):
            raise ValueError(f'{group.title}: no brief')
    blocks, group.params = cut_blocks(lines)
    if titled:
        blocks.insert(0, Block('text', text))
    if not blocks or blocks[0].kind != 'text':
        raise ValueError(f'a comment without a brief: {lines}')
    for block in blocks:
        if block.kind != 'text':
            continue
        # Return: takes all up to the end of its paragraph, but what tells who may call.
        before, mark, after = re.match(r'(.*?)(?:(\bReturn(?:, [^:.]*)?:) (.*))?$', block.text, re.S).groups()
        block.text = take_attributes(before.strip(), group.attributes)
        if mark:
            condition = mark[8:-1] + ': ' if mark.startswith('Return, ') else ''
            group.returns += ' ' * bool(group.returns) + condition + take_attributes(after, group.attributes)
    take_short_return(group, blocks)
    first = sentences(blocks[0].text) if blocks[0].text else ['']
    group.brief = first[0].rstrip('.')
    blocks[0].text = ' '.join(first[1:])
    group.blocks = [b for b in blocks if b.text.strip()]


def take_short_return(group, blocks):
    """'free it. 0, -EBUSY (waited for).' says what it returns as well."""
    for block in [] if group.returns else [b for b in blocks if b.kind == 'text']:
        parts = sentences(block.text)
        for i, part in enumerate(parts):
            if re.match(r'[01](,|;|:| or| when|\.?$)', part):
                block.text, group.returns = ' '.join(parts[:i]), ' '.join(parts[i:]).replace('0 or -E', '0, -E')
                return


def read_head(header, comment):
    lines = [line for line in comment_lines(comment) if 'SPDX-License' not in line]
    blocks, header.params = cut_blocks(lines)
    if not blocks:
        raise ValueError(f'{header.name}: no comment at its head')
    first = sentences(blocks[0].text)
    header.brief = first[0].split(' - ', 1)[1].rstrip('.')
    blocks[0].text = ' '.join(first[1:])
    for block in blocks:
        if block.text.startswith('Where nothing else is said: '):
            read_attributes(block.text.split(': ', 1)[1], header.attributes)
            block.kind = 'attributes'
        elif block.text.startswith('Errors that all share: '):
            header.shared = block.text.split(': ', 1)[1]
            block.kind = 'errors'
    header.blocks = [b for b in blocks if b.text.strip()]


# --- code --------------------------------------------------------------------------------

def one_line(text):
    return re.sub(r'\s+', ' ', text).strip()


def cut_params(text):
    """'int fd, void (*fn)(void *arg)' as [(declarator, name)]."""
    parts, depth, part = [], 0, ''
    for c in text:
        depth += c in '([' and 1 or c in ')]' and -1 or 0
        if c == ',' and depth == 0:
            parts.append(part)
            part = ''
        else:
            part += c
    parts = [one_line(p) for p in parts + [part] if p.strip()]
    result = []
    for part in parts:
        if part in ('void', '...'):
            continue
        name = re.search(r'\(\*(\w+)\)', part) or re.search(r'(\w+)(\[[^\]]*\])?$', part)
        result.append((part, name.group(1)))
    return result


def function(text):
    """The Declaration in 'int weft_join(weft_task *task) __attribute__(...)', or None."""
    text = one_line(re.sub(r'__attribute__\s*\(\(.*?\)\)(?!\))', '', text))
    m = re.match(r'((?:const )?[\w ]+?[ *]+)(weft_\w+)\s*\((.*)\)$', text)
    return m and Declaration(m.group(2), m.group(1).strip(), cut_params(m.group(3)))


def declarations(code):
    """The functions and function-like macros of a piece of a header."""
    found = []
    code = re.sub(r'/\*.*?\*/', ' ', code, flags=re.S).replace('\\\n', ' ')
    pattern = (r'^[ \t]*#\s*define\s+(?P<macro>weft_\w+)\((?P<args>[^)]*)\)(?P<body>.*)$'
               r'|\bWEFT_API\s+(?P<api>[^;]+);'
               r'|\bstatic\s+(?:inline|__inline__)\s+(?P<inline>[^;{]+)\{')
    for m in re.finditer(pattern, code, re.M):
        if m['macro']:
            macro = Declaration(m['macro'], '', [('', a.strip()) for a in m['args'].split(',')], True)
            macro.called = re.findall(r'\b(weft_\w+)\(', m['body'])
            found.append(macro)
        else:
            f = function(m['api'] or m['inline'])
            if f:
                found.append(f)
    return found


def type_macros(header):
    """A macro that calls a function has that one's result, and its parameters by their names."""
    known = {d.name: d for d in header.declarations() + header.private if not d.macro}
    for macro in header.declarations():
        called = [known[n] for n in macro.called if n in known]
        if called:
            types = {name: declarator for declarator, name in called[0].params}
            if all(name in types for _, name in macro.params):
                macro.result = called[0].result
                macro.params = [(types[name], name) for _, name in macro.params]


def read_header(path, name):
    with open(path) as file:
        text = file.read()
    header = Header(name)
    end = text.index('*/') + 2
    read_head(header, text[:end])
    lines = text[end:].split('\n')
    i = 0
    while i < len(lines):
        line = lines[i].strip()
        if not line or line.startswith('#') and not line.startswith('#define'):
            i += 1
            continue
        section = re.match(r'/\* -+ (.*?) -+ \*/$', line)
        if section:
            header.groups.append(section.group(1))
            i += 1
            continue
        doc = None
        if line.startswith('/*'):
            comment = lines[i]
            while '*/' not in lines[i]:
                i += 1
                comment += '\n' + lines[i]
            i += 1
            if not line.startswith('/**'):
                continue
            doc = comment
        code, depth = [], 0
        while i < len(lines):
            line = lines[i]
            if depth == 0 and (not line.strip() or line.strip().startswith('/**')) and \
                    not (code and code[-1].endswith('\\')):
                break
            if not line.lstrip().startswith('#') and not (code and code[-1].endswith('\\')):
                depth += line.count('{') - line.count('}')
            code.append(line)
            i += 1
        add_group(header, doc, '\n'.join(code))
    type_macros(header)
    return header


def add_group(header, doc, code):
    found = declarations(code)
    public = [d for d in found if '__' not in d.name]
    header.private += [d for d in found if '__' in d.name]
    if found and not public:
        return
    if doc is None and not public and not re.search(
            r'\b(enum|struct|typedef)\b.*\bweft_(?!_)|^#define WEFT_(?!API|\w+_DECLS|\w+_H$)[A-Z]', code, re.M):
        return
    try:
        header.groups.append(Group(doc, code, public))
    except ValueError as error:
        raise ValueError(f'{header.name}: {error}') from None
