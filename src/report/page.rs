//! A self-contained HTML page: style, script, figures and images are inlined, and all text is escaped.

use alrao_plots::EmbeddedFigure;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// An HTML page, built from top to bottom.
pub struct Page {
    title: String,
    body: String,
}

impl Page {
    /// Creates a page with a title.
    pub fn new(title: &str) -> Self {
        Page { title: escape(title), body: String::new() }
    }

    /// Adds a heading of level 2 or 3.
    pub fn heading(&mut self, level: u8, text: &str) {
        self.body += &format!("<h{level}>{}</h{level}>\n", escape(text));
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: &str) {
        self.body += &format!("<p>{}</p>\n", escape(text));
    }

    /// Returns whether the page has this text.
    pub fn has(&self, text: &str) -> bool {
        self.body.contains(&escape(text))
    }

    /// Adds a paragraph with line breaks.
    pub fn lines(&mut self, text: &str) {
        self.body += &format!("<p>{}</p>\n", text.lines().map(escape).collect::<Vec<_>>().join("<br>\n"));
    }

    /// Adds a table of names and values.
    pub fn pairs(&mut self, pairs: &[(&str, String)]) {
        let row = |(name, value): &(&str, String)| {
            format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(name), escape(value))
        };
        self.table("pairs", &pairs.iter().map(row).collect::<String>());
    }

    /// Adds Markdown's headings, tables and paragraphs.
    pub fn markdown(&mut self, text: &str) {
        let cells = |line: &str, tag: &str| {
            let cells = line.trim_matches('|').split('|').map(|cell| format!("<{tag}>{}</{tag}>", escape(cell.trim())));
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        let mut rows: Vec<String> = Vec::new();
        for line in text.lines().chain([""]) {
            if line.starts_with("|--") {
                continue;
            }
            if line.starts_with('|') {
                rows.push(cells(line, if rows.is_empty() { "th" } else { "td" }));
                continue;
            }
            if !rows.is_empty() {
                self.table("numbers", &std::mem::take(&mut rows).concat());
            }
            match line.strip_prefix("## ") {
                Some(heading) => self.heading(3, heading),
                None if line.is_empty() => {}
                None => self.text(line),
            }
        }
    }

    fn table(&mut self, class: &str, rows: &str) {
        self.body += &format!("<div class=\"scroll\"><table class=\"{class}\">\n{rows}</table></div>\n");
    }

    /// Adds a figure that shows its values under the pointer.
    pub fn figure(&mut self, figure: &EmbeddedFigure) {
        let EmbeddedFigure { title, wide, narrow, data } = figure;
        let (title, data) = (escape(title), escape(data));
        self.body += &format!(
            "<figure role=\"img\" aria-label=\"{title}\" data-panels=\"{data}\">\n<div class=\"wide\">{wide}</div>\n\
             <div class=\"narrow\">{narrow}</div>\n</figure>\n"
        );
    }

    /// Adds a GIF.
    pub fn gif(&mut self, bytes: &[u8], what: &str) {
        let data = BASE64_STANDARD.encode(bytes);
        let what = escape(what);
        self.body += &format!("<figure><img alt=\"{what}\" src=\"data:image/gif;base64,{data}\"></figure>\n");
    }

    /// Adds preformatted text that is folded.
    pub fn folded(&mut self, summary: &str, text: &str) {
        self.body += &format!("<details><summary>{}</summary><pre>{}</pre></details>\n", escape(summary), escape(text));
    }

    /// Returns the HTML.
    pub fn html(&self) -> String {
        let Page { title, body } = self;
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}\
             <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
        )
    }
}

fn escape(text: &str) -> String {
    let escaped = |c: char| match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '"' => "&quot;".into(),
        '\'' => "&#39;".into(),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_text_is_escaped() {
        const EVIL: &str = "<script>alert('x')</script> & \"</pre>";
        let mut page = Page::new(EVIL);
        page.heading(2, EVIL);
        page.text(EVIL);
        page.lines(EVIL);
        page.pairs(&[(EVIL, EVIL.into())]);
        page.markdown(&format!("## {EVIL}\n\n| {EVIL} |\n|---|\n| {EVIL} |\n\n{EVIL}\n"));
        page.figure(&EmbeddedFigure {
            title: EVIL.into(),
            wide: "<svg/>".into(),
            narrow: "<svg/>".into(),
            data: EVIL.into(),
        });
        page.gif(b"GIF89a", EVIL);
        page.folded(EVIL, EVIL);
        let html = page.html();
        assert_eq!(html.matches("<script>").count(), 1, "the page's own");
        assert_eq!(html.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;").count(), 16);
        assert!(html.contains("data:image/gif;base64,R0lGODlh"));
    }

    #[test]
    fn markdown_tables_become_html_tables() {
        let mut page = Page::new("t");
        page.markdown("## pendulum\n\n| variant | mean |\n|---|---|\n| sgd * | -1 |\n\n*: the best.\n");
        assert!(page.body.contains("<h3>pendulum</h3>"));
        assert!(page.body.contains("<tr><th>variant</th><th>mean</th></tr>\n<tr><td>sgd *</td><td>-1</td></tr>"));
        assert!(page.body.ends_with("<p>*: the best.</p>\n"), "{}", page.body);
    }
}
