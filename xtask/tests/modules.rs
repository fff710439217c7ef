//! The modules of a crate have no circular dependencies, so that each can be read after the modules it depends on.
//!
//! A module depends on another if a `use` or a path refers to it; re-exports by `pub use` are followed to the defining
//! module. A module's `mod` and `pub use` of its children are not dependencies. Test code is ignored.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, UseTree, token};

/// The modules of the root package in the order that data go through them; no module
/// depends on one of an earlier row.
const ROWS: [&[&str]; 6] = [
    &["main"],
    &["app"],
    &["command_line", "run"],
    &["commands"],
    &["export", "report", "runs", "sweep"],
    &[
        "catalog",
        "checkpoint",
        "config",
        "dataset",
        "error",
        "figures",
        "message",
        "output",
        "output_file",
        "program",
        "run_directory",
        "run_files",
        "run_info",
        "seed",
        "summary",
        "usage_error",
    ],
];

#[test]
fn no_crate_has_circular_dependencies_between_modules() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("a workspace has members");
    let folders = members.split('"').skip(1).step_by(2).chain(["."]);
    let circles: Vec<String> = folders.flat_map(|folder| Crate::read(&root().join(folder)).circles()).collect();
    assert!(circles.is_empty(), "circular dependencies:\n{}", circles.join("\n"));
}

#[test]
fn no_module_of_the_program_depends_on_an_earlier_one() {
    let program = Crate::read(root());
    let row = |module: usize| {
        let path = &program.modules[module].path;
        path.first().and_then(|top| ROWS.iter().position(|row| row.contains(&top.as_str())))
    };
    let mut wrong = Vec::new();
    for (module, edges) in program.edges().iter().enumerate() {
        if row(module).is_none() && !program.modules[module].path.is_empty() {
            wrong.push(format!("{} is in no row", program.file(module)));
        }
        let back = edges.iter().filter(|(other, _)| row(**other) < row(module));
        wrong.extend(back.map(|(other, path)| format!("{} on {}: {path}", program.file(module), program.file(*other))));
    }
    assert!(wrong.is_empty(), "dependencies on earlier modules: {wrong:#?}");
}

/// Returns the circles of a library with these files.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write("Cargo.toml", "[package]\nname = \"of-a-test\"\n");
    files.iter().for_each(|(file, text)| write(&format!("src/{file}"), text));
    Crate::read(folder.path()).circles()
}

#[test]
fn a_circle_is_described_by_its_files_and_paths() {
    let c = ("c.rs", "pub fn h() { println!(\"{}\", super::a::F) }");
    let files = [("lib.rs", "mod a; mod b; mod c;"), ("a.rs", "use crate::b::g; pub const F: u8 = 0;"), c];
    let told = circles(&[&files[..], &[("b.rs", "pub fn g() { crate::c::h() }")]].concat());
    assert_eq!(told, ["src/a.rs -> (crate::b::g) src/b.rs -> (crate::c::h) src/c.rs -> (super::a::F) src/a.rs"]);
    assert!(circles(&[&files[..], &[("b.rs", "pub fn g() {}")]].concat()).is_empty());
}

#[test]
fn re_exports_are_followed_to_the_defining_module() {
    let lib = ("lib.rs", "pub mod a; mod b; pub use a::T; pub use b::*;");
    let a = ("a/mod.rs", "mod t; mod u; pub use t::T as S; pub use u::U; pub type T = u8;");
    let t = |uses| ("a/t.rs", uses);
    let rest = [lib, a, ("a/u.rs", "use crate::V; pub struct U;"), ("b.rs", "use crate::a::S; pub struct V;")];
    assert!(circles(&[&rest[..], &[t("pub struct T;")]].concat()).is_empty());
    let told = circles(&[&rest[..], &[t("use super::U; pub struct T;")]].concat());
    assert_eq!(told, ["src/a/t.rs -> (super::U) src/a/u.rs -> (crate::V) src/b.rs -> (crate::a::S) src/a/t.rs"]);
}

#[test]
fn a_parent_depends_on_children_that_its_code_uses() {
    let child = ("a/t.rs", "use super::Plain; pub struct T(Plain);");
    let of = |rest: &str| {
        let parent = format!("mod t; pub use t::T; pub struct Plain; {rest}");
        circles(&[("lib.rs", "mod a;"), ("a/mod.rs", &parent), child])
    };
    assert!(of("").is_empty());
    assert_eq!(of("pub enum Any { T(T) }"), ["src/a/mod.rs -> (T) src/a/t.rs -> (super::Plain) src/a/mod.rs"]);
    assert_eq!(of("fn f() { t::g() }"), ["src/a/mod.rs -> (t::g) src/a/t.rs -> (super::Plain) src/a/mod.rs"]);
}

#[test]
fn test_code_is_ignored() {
    let b = ("b.rs", "use crate::a; pub fn f() { a::g() }");
    let of = |a: &str| circles(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), b]);
    assert!(of("#[cfg(test)] mod tests { use crate::b::f; }").is_empty());
    assert!(of("#[cfg(test)] use crate::b; #[cfg(all(test, unix))] fn h() { crate::b::f() }").is_empty());
    assert_eq!(of("#[cfg(unix)] fn h() { crate::b::f() }").len(), 1);
    assert_eq!(of("#[cfg(not(test))] fn h() { crate::b::f() }").len(), 1);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// The modules of a crate: of its library and its program.
struct Crate {
    folder: PathBuf,
    /// The library's name.
    name: String,
    modules: Vec<Module>,
}

/// A module with its imports and paths.
struct Module {
    file: PathBuf,
    /// The path from the crate's root; the program's root is `main`.
    path: Vec<String>,
    imports: Vec<Import>,
    /// The paths in its code, without generic arguments.
    paths: BTreeSet<Vec<String>>,
    items: BTreeSet<String>,
}

/// A name imported by a `use`; `*` for all.
struct Import {
    name: String,
    path: Vec<String>,
    re_exported: bool,
}

impl Crate {
    fn read(folder: &Path) -> Self {
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).expect("a package has a name");
        let name = name.trim_matches('"').replace('-', "_");
        let mut found = Crate { folder: folder.into(), name, modules: Vec::new() };
        let roots = [("src/lib.rs", vec![]), ("src/main.rs", vec!["main".to_string()])];
        for (file, path) in roots.into_iter().filter(|(file, _)| folder.join(file).exists()) {
            let path = if found.modules.is_empty() { vec![] } else { path };
            found.read_file(&folder.join(file), path);
        }
        assert!(!found.modules.is_empty(), "{}: no crate", folder.display());
        found
    }

    fn read_file(&mut self, file: &Path, path: Vec<String>) {
        let text = fs::read_to_string(file).unwrap();
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.add(file, path, &syntax.items);
    }

    /// Adds a module with its children.
    fn add(&mut self, file: &Path, path: Vec<String>, items: &[Item]) {
        let mut module = Module {
            file: file.into(),
            path: path.clone(),
            imports: Vec::new(),
            paths: BTreeSet::new(),
            items: BTreeSet::new(),
        };
        items.iter().for_each(|item| module.visit_item(item));
        self.modules.push(module);
        let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|name| file.ends_with(name));
        let folder = if is_root { file.parent().unwrap().to_path_buf() } else { file.with_extension("") };
        for child in items {
            let Item::Mod(child) = child else { continue };
            if is_for_tests(&child.attrs) {
                continue;
            }
            let name = child.ident.unraw().to_string();
            let path = [path.clone(), vec![name.clone()]].concat();
            match &child.content {
                Some((_, items)) => self.add(file, path, items),
                None => {
                    let places = [folder.join(&name).with_extension("rs"), folder.join(&name).join("mod.rs")];
                    let place = places.iter().find(|place| place.exists()).expect("it compiles");
                    self.read_file(place, path);
                }
            }
        }
    }

    fn find(&self, path: &[String]) -> Option<usize> {
        self.modules.iter().position(|module| module.path == path)
    }

    /// Resolves a path in a module to a module, or to the module that defines the item; none for other crates' items.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<usize> {
        let (first, rest) = path.split_first()?;
        let of = |path: &[String]| self.find(path);
        match first.as_str() {
            "crate" => self.walk(of(&[])?, rest, depth),
            "self" => self.walk(from, rest, depth),
            "super" => {
                let parent = of(self.modules[from].path.split_last()?.1)?;
                if rest.first().is_some_and(|next| next == "super") {
                    return self.resolve(parent, rest, depth);
                }
                self.walk(parent, rest, depth)
            }
            name if *name == self.name && self.modules[from].path == ["main"] => self.walk(of(&[])?, rest, depth),
            _ if self.step(from, first, depth).is_some() => self.walk(from, path, depth),
            _ => None,
        }
    }

    /// Follows the names of a path while they are modules.
    fn walk(&self, from: usize, names: &[String], depth: usize) -> Option<usize> {
        let mut at = from;
        for name in names {
            match self.step(at, name, depth) {
                Some((next, true)) => at = next,
                Some((next, false)) => return Some(next),
                None => return Some(at), // a macro made it
            }
        }
        Some(at)
    }

    /// Resolves a name in a module: returns a module, and whether the name is the module's own.
    fn step(&self, at: usize, name: &str, depth: usize) -> Option<(usize, bool)> {
        let module = &self.modules[at];
        if let Some(child) = self.find(&[&module.path[..], &[name.to_string()]].concat()) {
            return Some((child, true));
        }
        if module.items.contains(name) {
            return Some((at, false));
        }
        let depth = depth.checked_sub(1)?;
        for import in module.imports.iter().filter(|import| import.name == name) {
            if let Some(found) = self.resolve(at, &import.path, depth) {
                let is_module = self.modules[found].path.last() == import.path.last();
                return Some((found, is_module));
            }
        }
        let globs = module.imports.iter().filter(|import| import.name == "*");
        globs.filter_map(|glob| self.step(self.resolve(at, &glob.path, depth)?, name, depth)).next()
    }

    /// Returns the modules that each module depends on, with a path that refers to them.
    fn edges(&self) -> Vec<BTreeMap<usize, String>> {
        const MAX_DEPTH: usize = 8; // of re-exports
        let mut edges = vec![BTreeMap::new(); self.modules.len()];
        for (at, module) in self.modules.iter().enumerate() {
            let imported = module.imports.iter().map(|import| (&import.path, import.re_exported));
            let is_imported = |name: &String| module.imports.iter().any(|import| import.name == *name);
            // a single name may be a variable with a child's name
            let said = module.paths.iter().filter(|path| path.len() > 1 || is_imported(&path[0]));
            for (path, re_exported) in imported.chain(said.map(|path| (path, false))) {
                let Some(other) = self.resolve(at, path, MAX_DEPTH) else { continue };
                let of_child = self.modules[other].path.starts_with(&module.path);
                if self.modules[other].file != module.file && !(re_exported && of_child) {
                    edges[at].entry(other).or_insert_with(|| path.join("::"));
                }
            }
        }
        edges
    }

    /// Returns every circle once, as the files on its shortest path.
    fn circles(&self) -> Vec<String> {
        let edges = self.edges();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for start in 0..self.modules.len() {
            let Some(way) = way_back(&edges, start) else { continue };
            if way.iter().all(|module| seen.insert(*module)) {
                let next = way.iter().cycle().skip(1);
                let step = |(at, next): (&usize, &usize)| format!("{} -> ({}) ", self.file(*at), edges[*at][next]);
                circles.push(way.iter().zip(next).map(step).collect::<String>() + &self.file(start));
            }
        }
        circles
    }

    fn file(&self, module: usize) -> String {
        let file = &self.modules[module].file;
        file.strip_prefix(root()).or(file.strip_prefix(&self.folder)).unwrap().display().to_string()
    }
}

/// Returns the shortest path along edges from a module to itself.
fn way_back(edges: &[BTreeMap<usize, String>], start: usize) -> Option<Vec<usize>> {
    let mut before = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &next in edges[at].keys() {
            if next == start {
                let mut way = vec![at];
                while *way.last().unwrap() != start {
                    way.push(before[way.last().unwrap()]);
                }
                way.reverse();
                return Some(way);
            }
            before.entry(next).or_insert_with(|| {
                queue.push_back(next);
                at
            });
        }
    }
    None
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        let (name, attributes) = match item {
            Item::Const(item) => (Some(&item.ident), &item.attrs),
            Item::Enum(item) => (Some(&item.ident), &item.attrs),
            Item::Fn(item) => (Some(&item.sig.ident), &item.attrs),
            Item::Impl(item) => (None, &item.attrs),
            Item::Macro(item) => (item.ident.as_ref(), &item.attrs),
            Item::Mod(_) => return,
            Item::Static(item) => (Some(&item.ident), &item.attrs),
            Item::Struct(item) => (Some(&item.ident), &item.attrs),
            Item::Trait(item) => (Some(&item.ident), &item.attrs),
            Item::Type(item) => (Some(&item.ident), &item.attrs),
            Item::Union(item) => (Some(&item.ident), &item.attrs),
            Item::Use(item) => {
                if !is_for_tests(&item.attrs) {
                    let re_exported = !matches!(item.vis, syn::Visibility::Inherited);
                    self.import(&item.tree, Vec::new(), re_exported);
                }
                return;
            }
            _ => return visit::visit_item(self, item),
        };
        if !is_for_tests(attributes) {
            self.items.extend(name.map(|name| name.unraw().to_string()));
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(path);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        call.parse_body_with(|input: ParseStream| self.paths_among(input)).expect("tokens");
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

impl Module {
    fn import(&mut self, tree: &UseTree, mut path: Vec<String>, re_exported: bool) {
        let (name, last) = match tree {
            UseTree::Path(part) => {
                path.push(part.ident.unraw().to_string());
                return self.import(&part.tree, path, re_exported);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, path.clone(), re_exported));
            }
            UseTree::Name(name) if name.ident == "self" => (path.last().expect("of something").clone(), None),
            UseTree::Name(name) => (name.ident.unraw().to_string(), Some(&name.ident)),
            UseTree::Rename(rename) if rename.ident == "self" => (rename.rename.unraw().to_string(), None),
            UseTree::Rename(rename) => (rename.rename.unraw().to_string(), Some(&rename.ident)),
            UseTree::Glob(_) => ("*".to_string(), None),
        };
        path.extend(last.map(|last| last.unraw().to_string()));
        self.imports.push(Import { name, path, re_exported });
    }

    /// Adds a path.
    fn path(&mut self, path: &syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
        if path.leading_colon.is_none() {
            self.paths.insert(names);
        }
    }

    /// Adds what looks like paths among a macro's tokens.
    fn paths_among(&mut self, input: ParseStream) -> syn::Result<()> {
        while !input.is_empty() {
            let ahead = input.fork();
            if input.peek(Ident::peek_any) && syn::Path::parse_mod_style(&ahead).is_ok() {
                let path = syn::Path::parse_mod_style(input)?;
                self.path(&path);
                continue;
            }
            let inside;
            if input.peek(token::Paren) {
                syn::parenthesized!(inside in input);
            } else if input.peek(token::Bracket) {
                syn::bracketed!(inside in input);
            } else if input.peek(token::Brace) {
                syn::braced!(inside in input);
            } else {
                input.step(|cursor| Ok(((), cursor.token_tree().expect("not empty").1)))?;
                continue;
            }
            self.paths_among(&inside)?;
        }
        Ok(())
    }
}

/// Returns whether there is a `#[cfg(test)]`, perhaps with more conditions.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    let tests = |attribute: &Attribute| {
        let mut tests = attribute.path().is_ident("test");
        if attribute.path().is_ident("cfg") {
            attribute
                .parse_nested_meta(|meta| {
                    tests |= meta.path.is_ident("test");
                    if meta.path.is_ident("all") {
                        meta.parse_nested_meta(|meta| {
                            tests |= meta.path.is_ident("test");
                            meta.input.parse::<syn::Expr>().map(drop).or(Ok(()))
                        })?;
                    }
                    Ok(())
                })
                .ok();
        }
        tests
    };
    attributes.iter().any(tests)
}
