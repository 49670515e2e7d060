//! As much of Lua's grammar as the checks of scripts need: comments, strings, calls.

/// A script without its comments.
pub struct Code {
    /// The script with blanks in place of comments; lines and columns stay.
    pub text: String,
    /// The same with blanks in place of the insides of strings, too.
    pub bare: String,
    /// The insides of all strings.
    pub strings: Vec<String>,
}

/// What the next bytes of a script are.
enum Piece {
    /// Up to here, a comment.
    Comment(usize),
    /// Up to here, a string whose inside is this far from either end.
    Quoted(usize, usize),
    /// One byte of code.
    Byte,
}

/// Takes comments and strings apart.
pub fn code(script: &str) -> Code {
    let bytes = script.as_bytes();
    let mut code = Code { text: String::new(), bare: String::new(), strings: Vec::new() };
    let mut at = 0;
    while at < bytes.len() {
        match piece(script, at) {
            Piece::Comment(end) => {
                let blank = blank(&script[at..end]);
                code.text.push_str(&blank);
                code.bare.push_str(&blank);
                at = end;
            }
            Piece::Quoted(end, rim) => {
                let inside = &script[at + rim..end - rim];
                code.text.push_str(&script[at..end]);
                code.bare.push_str(&script[at..at + rim]);
                code.bare.push_str(&blank(inside));
                code.bare.push_str(&script[end - rim..end]);
                code.strings.push(inside.to_owned());
                at = end;
            }
            Piece::Byte => {
                let letter = script[at..].chars().next().unwrap_or(' ');
                code.text.push(letter);
                code.bare.push(letter);
                at += letter.len_utf8();
            }
        }
    }
    code
}

fn piece(script: &str, at: usize) -> Piece {
    let rest = &script[at..];
    let line_end = at + rest.find('\n').unwrap_or(rest.len());
    let block_end = |from: usize| script[from..].find("]]").map(|length| from + length + 2);
    if at == 0 && rest.starts_with("#!") {
        return Piece::Comment(line_end);
    }
    if rest.starts_with("--[[") {
        return Piece::Comment(block_end(at).unwrap_or(script.len()));
    }
    if rest.starts_with("--") {
        return Piece::Comment(line_end);
    }
    if let (true, Some(end)) = (rest.starts_with("[["), block_end(at)) {
        return Piece::Quoted(end, 2);
    }
    let Some(quote) = rest.chars().next().filter(|c| ['"', '\''].contains(c)) else {
        return Piece::Byte;
    };
    let mut escaped = false;
    for (offset, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return Piece::Quoted(at + offset + 1, 1),
            '\n' => break,
            _ => {}
        }
    }
    Piece::Byte
}

fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

/// Where a name stands as a whole word.
pub fn positions(text: &str, name: &str) -> Vec<usize> {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let whole =
        |at: &usize| !text[..*at].ends_with(part) && !text[at + name.len()..].starts_with(part);
    text.match_indices(name).map(|(at, _)| at).filter(whole).collect()
}

/// The line of a position.
pub fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// What stands between the bracket at or after `at` and its partner, and where it ends.
pub fn bracket(text: &str, at: usize, open: char, close: char) -> Option<(&str, usize)> {
    let gap = text[at..].find(|c: char| !c.is_whitespace())?;
    let start = at + gap;
    if !text[start..].starts_with(open) {
        return None;
    }
    let mut depth = 0;
    for (offset, letter) in text[start..].char_indices() {
        if letter == open {
            depth += 1;
        } else if letter == close {
            depth -= 1;
        }
        if depth == 0 {
            let inside = text.get(start + 1..start + offset)?;
            return Some((inside, start + offset + 1));
        }
    }
    None
}

/// The commands that a script calls, in capitals, with their positions; `None` for a command that
/// is not written out.
pub fn commands(code: &Code) -> Vec<(usize, Option<String>)> {
    let mut found = Vec::new();
    for caller in callers(code) {
        for at in positions(&code.bare, &caller) {
            if code.bare[..at].ends_with('.') {
                continue;
            }
            let end = at + caller.len();
            let Some((_, after)) = bracket(&code.bare, end, '(', ')') else { continue };
            let arguments = code.text[end..after].trim_start().trim_start_matches('(').trim_start();
            let quoted = arguments.chars().next().filter(|c| ['"', '\''].contains(c));
            let name = quoted.and_then(|quote| arguments[1..].split(quote).next());
            found.push((at, name.map(str::to_ascii_uppercase)));
        }
    }
    found
}

fn callers(code: &Code) -> Vec<String> {
    let mut callers = vec!["redis.call".to_owned(), "redis.pcall".to_owned()];
    for line in code.bare.lines() {
        let Some((left, right)) = line.split_once('=') else { continue };
        let local = left.trim().strip_prefix("local ");
        if let (Some(name), "redis.call" | "redis.pcall") = (local, right.trim()) {
            callers.push(name.trim().to_owned());
        }
    }
    callers
}

#[test]
fn comments_and_strings_are_taken_apart() {
    let code =
        code("#!lua flags=no-writes\n--! KEYS[9]\nlocal a = \"x -- y\" -- KEYS[8]\nf('z\\'')\n");
    assert_eq!(code.strings, ["x -- y", "z\\'"]);
    assert!(!code.text.contains("KEYS") && !code.bare.contains('x'));
    assert_eq!(code.text.lines().count(), 4);
}

#[test]
fn commands_are_found_also_through_a_short_name() {
    let code =
        code("local call = redis.call\ncall('hget', x)\nredis.pcall(\"TIME\")\nredis.call(name)");
    let mut names: Vec<_> = commands(&code).into_iter().map(|(_, name)| name).collect();
    names.sort();
    assert_eq!(names, [None, Some("HGET".to_owned()), Some("TIME".to_owned())]);
}
