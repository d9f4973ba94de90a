//! The layers of ARCHITECTURE.md, held: an import in `src/` points down the list of rooms, and neither files
//! nor folders import each other in a circle, in `src/` and in each crate. What only `#[cfg(test)]` compiles is not looked at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::repository::{self, shown};

/// The rooms of `src/`, top first. A room imports only what is listed after it.
const ROOMS: [&str; 21] = [
    "main",
    "commands",
    "watch",
    "plan",
    "report",
    "audit",
    "checks",
    "probes",
    "run",
    "injection",
    "diagnosis",
    "kubernetes",
    "aws",
    "sdk_scan",
    "net",
    "host",
    "token",
    "evidence",
    "env",
    "wire",
    "text",
];

/// What no crate depends on: it would not be pure.
const IMPURE: [&str; 3] = ["irsa-probe", "tokio", "hyper"];

#[test]
fn imports_point_down_the_list_of_rooms() {
    let source = Source::read(&repository::path("src"));
    let wrong = source.imports.iter().filter_map(|import| {
        let (from, to) = (source.room_of(&import.file), source.room_of(&import.to));
        let rule = match (place(from), place(to)) {
            (Some(_), Some(_)) if from == to => return None,
            (Some(above), Some(below)) if above < below => return None,
            (Some(_), Some(_)) => format!("`{to}` is above `{from}` in the list of rooms"),
            (None, _) => format!("`{from}` is not in the list of rooms"),
            (_, None) => format!("`{to}` is not in the list of rooms"),
        };
        Some(format!("{import}: {rule}"))
    });
    assert_none(wrong.collect(), "an import points only down the list of rooms");
}

/// In every folder: a folder in it counts as one, with all that it holds.
#[test]
fn files_and_folders_import_each_other_in_no_circle() {
    let crates =
        fs::read_dir(repository::path("crates")).unwrap().map(|entry| entry.unwrap().path().join("src"));
    let sources = crates.chain([repository::path("src")]);
    let imports: Vec<Import> = sources.flat_map(|source| Source::read(&source).imports).collect();
    assert!(imports.len() > 500, "imports are found");
    let edges = imports.iter().map(|import| {
        let shared = import.file.iter().zip(import.to.iter()).take_while(|(from, to)| from == to).count();
        let entry = |file: &Path| file.iter().take(shared + 1).collect::<PathBuf>();
        (entry(&import.file), entry(&import.to), import)
    });
    assert_none(circles(&edges.collect::<Vec<_>>()), "nothing imports what imports it");
}

#[test]
fn crates_are_pure() {
    let is_impure = |name: &str| {
        let rests = IMPURE.iter().filter_map(|impure| name.strip_prefix(impure));
        rests.into_iter().any(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let mut wrong = Vec::new();
    for entry in fs::read_dir(repository::path("crates")).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let mut table = String::new();
        for (line, text) in (1..).zip(fs::read_to_string(&manifest).unwrap().lines()) {
            if let Some(header) = text.strip_prefix('[') {
                table = header.trim_end_matches(']').to_owned();
            }
            // `[dependencies.NAME]`, or `NAME = …` in `[dependencies]`.
            let name = match table.split_once("dependencies") {
                None => continue,
                Some((_, "")) => text.split(['.', '=', ' ']).next().unwrap(),
                Some((_, name)) => &name[1..],
            };
            if is_impure(name) {
                wrong.push(format!("{}:{line}: {text}", shown(&manifest)));
            }
        }
    }
    assert_none(wrong, "no crate depends on irsa-probe, tokio or hyper");
}

#[test]
fn paths_are_found_and_resolved() {
    let text = r##"
        // crate::comment
        const TEXT: &str = "crate::text"; const RAW: &str = r#"crate::"raw""#; const SIGN: char = '"';
        use crate::{net::{self, tls::{Roots as Trusted, *}}, text};
        fn f<'a>(x: &'a crate::host::Pod) -> super::Found { super::super::run::<u8>(x); irsa_probe::wire::line() }
        pub(in crate::audit) mod inner { use super::pod; }
        #[cfg(test)]
        #[allow(dead_code)]
        mod tests { use crate::tests; }
    "##;
    let module = ["audit", "inputs", "report"].map(str::to_owned);
    let found: Vec<String> =
        paths(text, &module).into_iter().map(|(line, path)| format!("{line} {}", path.join("::"))).collect();
    assert_eq!(
        found,
        [
            "4 net",
            "4 net::tls::Roots",
            "4 net::tls",
            "4 text",
            "5 host::Pod",
            "5 audit::inputs::Found",
            "5 audit::run",
            "5 wire::line",
            "6 audit::inputs::report::pod",
        ]
    );
}

fn assert_none(wrong: Vec<String>, rule: &str) {
    assert!(wrong.is_empty(), "{rule}, but for these {}:\n{}", wrong.len(), wrong.join("\n"));
}

/// How far down the list a room is.
fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|listed| *listed == room)
}

/// A path from the root of the crate, in a file of `src/`, and the file that it leads to.
struct Import {
    file: PathBuf,
    line: usize,
    path: Vec<String>,
    to: PathBuf,
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: crate::{}", shown(&self.file), self.line, self.path.join("::"))
    }
}

/// All of `src/`.
struct Source {
    /// The modules of the library by their paths from its root.
    modules: BTreeMap<Vec<String>, PathBuf>,
    imports: Vec<Import>,
}

impl Source {
    fn read(src: &Path) -> Self {
        // The root of a library only declares its modules, and gives names to what is in them.
        let exported = exports(&fs::read_to_string(src.join("lib.rs")).unwrap());
        let files = repository::files(src, &["rs"]).into_iter().filter(|file| *file != src.join("lib.rs"));
        let module_of = |file: PathBuf| (module(file.strip_prefix(src).unwrap()), file);
        let modules: BTreeMap<_, _> = files.map(module_of).collect();
        let mut source = Self { modules, imports: Vec::new() };
        for (module, file) in source.modules.clone() {
            for (line, mut path) in paths(&fs::read_to_string(&file).unwrap(), &module) {
                if let Some(module) = path.first().and_then(|name| exported.get(name)) {
                    path.splice(..0, module.clone());
                }
                let Some(to) = source.file_of(&path) else { continue };
                if to != file {
                    source.imports.push(Import { file: file.clone(), line, path, to });
                }
            }
        }
        source
    }

    /// The file of the innermost module on a path; none for what the root of the library declares.
    fn file_of(&self, path: &[String]) -> Option<PathBuf> {
        (1..=path.len()).rev().find_map(|length| self.modules.get(&path[..length]).cloned())
    }

    fn room_of(&self, file: &Path) -> &str {
        let (module, _) = self.modules.iter().find(|(_, at)| *at == file).unwrap();
        &module[0]
    }
}

/// What `pub use MODULE::{NAME, …};` in the root of a library gives names to: the module of each name.
fn exports(root: &str) -> BTreeMap<String, Vec<String>> {
    let statements = root.split(';').filter_map(|statement| statement.rsplit_once("pub use "));
    let trees = statements.flat_map(|(_, tree)| paths(&format!("crate::{}", tree.trim()), &[]));
    trees.filter_map(|(_, mut path)| path.pop().map(|name| (name, path))).collect()
}

/// The path of a file's module, from `src/`.
fn module(file: &Path) -> Vec<String> {
    let mut module: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    module.pop_if(|last| last == "mod");
    module
}

/// The paths from the root of the crate in a text, each with its line; `super` is resolved.
fn paths(text: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let tokens = without_tests(tokens(text));
    let mut found = Vec::new();
    // The modules that are open inside of the file, each with the number of braces around it.
    let (mut inside, mut braces) = (Vec::<(String, usize)>::new(), 0);
    let mut at = 0;
    while at < tokens.len() {
        let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text.as_str());
        match text(at) {
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                inside.pop_if(|(_, outside)| *outside == braces);
            }
            "mod" if text(at + 2) == "{" => inside.push((text(at + 1).to_owned(), braces)),
            start @ ("crate" | "super" | "irsa_probe") if text(at + 1) == "::" && is_start(&tokens, at) => {
                let names = inside.iter().map(|(name, _)| name.clone());
                let own: Vec<String> = module.iter().cloned().chain(names).collect();
                let base = if start == "super" { own[..own.len() - 1].to_vec() } else { Vec::new() };
                let mut leaves = Vec::new();
                at = tree(&tokens, at + 2, base, &mut leaves);
                found.extend(leaves);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether a path starts here: it does not go on here, and is no `pub(in …)`.
fn is_start(tokens: &[Token], at: usize) -> bool {
    at == 0 || !matches!(tokens[at - 1].text.as_str(), "::" | "in")
}

/// Reads what comes after the `::` of a path, with all that is in braces; says where it ends.
fn tree(
    tokens: &[Token],
    mut at: usize,
    mut path: Vec<String>,
    leaves: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let line = tokens[at].line;
    loop {
        match text(at) {
            "{" => {
                at += 1;
                while text(at) != "}" {
                    at = tree(tokens, at, path.clone(), leaves);
                    at += usize::from(text(at) == ",");
                }
                return at + 1;
            }
            "super" => _ = path.pop(),
            "self" => {}
            name if is_name(name) => path.push(name.to_owned()),
            // A glob, or the generic arguments of what the path led to.
            _ => break,
        }
        at += 1;
        if text(at) != "::" {
            break;
        }
        at += 1;
    }
    leaves.push((line, path));
    // In an import: an alias, or the glob.
    while !matches!(text(at), "," | "}" | ";" | "") && matches!(text(at), "*" | "as") {
        at += if text(at) == "as" { 2 } else { 1 };
    }
    at
}

struct Token {
    line: usize,
    text: String,
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The names, the `::` and the single signs of a text, without its comments, texts and characters.
fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let of_name = |c: char| c.is_alphanumeric() || c == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").unwrap() + 2
        } else if let Some(length) = literal(rest) {
            length
        } else if rest.starts_with("::") {
            2
        } else {
            rest.find(|c| !of_name(c)).filter(|length| *length > 0).unwrap_or(if of_name(first) {
                rest.len()
            } else {
                first.len_utf8()
            })
        };
        let (token, after) = rest.split_at(length);
        if token == "::" || length == first.len_utf8() && !first.is_whitespace() || token.chars().all(of_name)
        {
            tokens.push(Token { line, text: token.to_owned() });
        }
        line += token.matches('\n').count();
        rest = after;
    }
    tokens
}

/// How long the text or character is with which this begins, if it begins with one.
fn literal(rest: &str) -> Option<usize> {
    let quote = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - quote.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = quote.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let content = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(prefix + 1 + hashes + 1 + content.find(&end)? + end.len());
    }
    let (sign, content) = (quote.chars().next()?, quote.get(1..)?);
    if sign == '\'' {
        // A lifetime has no quote after its first character.
        let second = content.chars().next()?;
        if second != '\\' && !content[second.len_utf8()..].starts_with('\'') {
            return None;
        }
    } else if sign != '"' {
        return None;
    }
    let mut escaped = false;
    let end = content.find(|c| {
        let ends = c == sign && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(prefix + 1 + end + 1)
}

/// The tokens without the items that only tests compile.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut rest = VecDeque::from(tokens);
    while !rest.is_empty() {
        if rest.iter().map(|token| token.text.as_str()).take(MARK.len()).eq(MARK) {
            rest.drain(..MARK.len());
            let mut open = 0_usize;
            while let Some(token) = rest.pop_front() {
                match token.text.as_str() {
                    "{" | "[" | "(" => open += 1,
                    "}" | "]" | ")" => open -= 1,
                    _ => {}
                }
                if open == 0 && matches!(token.text.as_str(), "}" | ";") {
                    break;
                }
            }
        } else {
            kept.extend(rest.pop_front());
        }
    }
    kept
}

/// For each group of nodes that import each other, its shortest circle.
fn circles(edges: &[(PathBuf, PathBuf, &Import)]) -> Vec<String> {
    let mut graph = Graph::new();
    for (from, to, import) in edges {
        graph.entry(from).or_default().entry(to).or_insert(import);
    }
    let mut seen = BTreeSet::new();
    let mut found: Vec<(usize, String)> = Vec::new();
    for start in graph.keys() {
        let Some(circle) = shortest_circle(&graph, start) else { continue };
        if circle.iter().all(|(node, _)| !seen.contains(node)) {
            let lines: Vec<String> = circle.iter().map(|(_, import)| format!("    {import}")).collect();
            found.push((circle.len(), format!("  a circle of {}:\n{}", circle.len(), lines.join("\n"))));
        }
        seen.extend(circle.into_iter().map(|(node, _)| node));
    }
    found.sort();
    found.into_iter().map(|(_, circle)| circle).collect()
}

/// What each node imports, and where.
type Graph<'a> = BTreeMap<&'a Path, BTreeMap<&'a Path, &'a Import>>;

/// The shortest way from a node back to it: each node that is left, and by which import.
fn shortest_circle<'a>(graph: &Graph<'a>, start: &'a Path) -> Option<Vec<(&'a Path, &'a Import)>> {
    let mut ways = VecDeque::from([(start, Vec::new())]);
    let mut reached = BTreeSet::new();
    while let Some((node, way)) = ways.pop_front() {
        for (to, import) in graph.get(node).into_iter().flatten() {
            let further: Vec<_> = way.iter().copied().chain([(node, *import)]).collect();
            if *to == start {
                return Some(further);
            }
            if reached.insert(*to) {
                ways.push_back((*to, further));
            }
        }
    }
    None
}
