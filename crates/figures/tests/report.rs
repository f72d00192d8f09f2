//! The report as a browser reads it: nested as it should be, every link leads somewhere, every statement is where it belongs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use html5gum::{Token, Tokenizer};
use lab::report::{self, Places};

/// Bytes of a report that one would still send to somebody.
const LARGEST: u64 = 8 << 20;

/// Elements of HTML that have no end.
const VOID: [&str; 4] = ["br", "hr", "link", "meta"];

/// An element with its attributes and the id of the section around it.
#[derive(Debug)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    section: Option<String>,
}

impl Element {
    fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }
}

/// The elements of a page, in order. Panics where the page is not well formed.
fn parse(html: &str) -> Vec<Element> {
    let (mut elements, mut open) = (Vec::<Element>::new(), Vec::<(String, Option<String>)>::new());
    // What script and style contain is no markup.
    let mut verbatim = false;
    for Ok(token) in Tokenizer::new(html) {
        match token {
            Token::StartTag(tag) if !verbatim => {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
                let name = text(&tag.name);
                let attributes: BTreeMap<String, String> =
                    tag.attributes.iter().map(|(key, value)| (text(key), text(value))).collect();
                let around = open.last().and_then(|(_, section)| section.clone());
                let section = if name == "section" { attributes.get("id").cloned() } else { around };
                if !tag.self_closing && !VOID.contains(&&*name) {
                    open.push((name.clone(), section.clone()));
                }
                verbatim = ["script", "style"].contains(&&*name);
                elements.push(Element { name, attributes, section });
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8(tag.name.to_vec()).expect("UTF-8");
                if verbatim && !["script", "style"].contains(&&*name) {
                    continue;
                }
                verbatim = false;
                let (opened, _) = open.pop().unwrap_or_else(|| panic!("</{name}> ends nothing"));
                assert_eq!(opened, name, "an element ends in another");
            }
            Token::Error(error) if !verbatim => panic!("{:?}", *error),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?} do not end");
    elements
}

/// Checks `results/PROFILE/report.html`.
pub(crate) fn check(directory: &Path) {
    let path = directory.join(report::FILE);
    assert!(fs::metadata(&path).expect("a report").len() <= LARGEST);
    let html = fs::read_to_string(&path).expect("text");
    let elements = parse(&html);
    check_links(&elements, directory);
    check_statements(&elements);
    let figures = elements.iter().filter(|element| element.name == "svg").count();
    assert!(figures >= figures::experiments().len(), "{figures} figures");
}

fn check_links(elements: &[Element], directory: &Path) {
    let mut ids = BTreeSet::new();
    for id in elements.iter().filter_map(|element| element.get("id")) {
        assert!(ids.insert(id), "the id {id} occurs twice");
    }
    let mut files = 0;
    for element in elements {
        assert!(element.get("src").is_none(), "{element:?} is not in the file itself");
        let Some(address) = element.get("href") else { continue };
        match address.strip_prefix('#') {
            Some(anchor) => assert!(ids.contains(anchor), "nothing is called {anchor}"),
            None if element.name == "link" => assert_eq!(address, "data:,"),
            None if address.starts_with("https://arxiv.org/") => {}
            None => {
                let path = percent_encoding::percent_decode_str(address).decode_utf8().expect("UTF-8");
                assert!(directory.join(&*path).is_file(), "there is no {address}");
                files += 1;
            }
        }
    }
    // Main table, claims and settings at least, of every experiment that was run.
    let entries = std::fs::read_dir(directory).expect("results").flatten();
    let ran = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".meta.toml")).count();
    assert!(ran > 0 && files >= 3 * ran, "{files} links to files of {ran} experiments");
}

/// Every statement has its rows in the section of its experiment, or of what is not implemented, and nowhere else.
fn check_statements(elements: &[Element]) {
    let experiments: Vec<&str> = figures::experiments().iter().map(lab::Entry::name).collect();
    let mut rows = BTreeMap::<&str, Vec<&str>>::new();
    for row in elements.iter().filter(|element| element.get("class") == Some("claim")) {
        let id = row.get("id").expect("an id").split('@').next().expect("a statement");
        rows.entry(id).or_default().push(row.section.as_deref().expect("a section"));
    }
    for statement in lab::claim::statements(figures::CLAIMS).expect("statements") {
        let place =
            if experiments.contains(&&*statement.experiment) { &statement.experiment } else { "not-implemented" };
        let sections = rows.remove(&*statement.id).unwrap_or_else(|| panic!("{} is missing", statement.id));
        assert!(sections.iter().all(|section| *section == place), "{}: {sections:?}", statement.id);
    }
    assert!(rows.is_empty(), "no statements: {rows:?}");
}

#[test]
fn a_page_that_is_not_well_formed_is_found() {
    let wrong = ["<p><b></p></b>", "<p>", "</p>", "<p id=\"a\" id=\"b\"></p>", "<p a=b<></p>"];
    for html in wrong {
        assert!(std::panic::catch_unwind(|| parse(html)).is_err(), "{html}");
    }
    let right = "<!DOCTYPE html><section id=\"s\"><br><style>a > b {}</style><script>1 < 2 && '</p>'</script><p class=\"c\">\
        1 &lt; 2<svg><rect width=\"1\"/></svg></p></section>";
    let elements = parse(right);
    let names: Vec<&str> = elements.iter().map(|element| element.name.as_str()).collect();
    assert_eq!(names, ["section", "br", "style", "script", "p", "svg", "rect"]);
    assert_eq!((elements[4].get("class"), elements[6].section.as_deref()), (Some("c"), Some("s")));
}

/// The committed tables give a report too: links and statements of it, wherever it is written.
#[test]
fn the_report_of_the_committed_results_is_whole() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let [results, figures, experiments] =
        ["results/paper", "figures/paper", "experiments"].map(|below| repository.join(below));
    let places = Places { profile: "paper", results: &results, figures: &figures, experiments: &experiments };
    let html = report::html(&figures::experiments(), figures::CLAIMS, places).expect("a report");
    assert!(html.len() as u64 <= LARGEST);
    let elements = parse(&html);
    check_links(&elements, &results);
    check_statements(&elements);
}
