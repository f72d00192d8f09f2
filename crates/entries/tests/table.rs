//! Files of entries in every format, and what is said about those that are none.

use entries::{Duplicates, Format, Index, Known, Split, Table};

fn read(text: &str, format: &Format) -> Result<Table, String> {
    Table::from_reader(text.as_bytes(), "x.csv", format).map_err(|error| error.to_string())
}

fn format() -> Format {
    Format::default()
}

#[test]
fn formats() {
    let expected = [(0, 0, 5.0), (0, 1, 4.5), (1, 0, -1e-3)];
    let with = |columns: [&str; 3]| Format { columns: columns.map(str::to_owned), ..format() };
    for (text, format) in [
        ("u,f,r\na,x,5\na,y,4.5\nb,x,-1e-3\n", format()),
        ("\u{feff}u,f,r\r\na,x,5\r\n\r\na , y ,4.5\r\nb,x,-1e-3", format()),
        ("u;f;r\na;\"x;\";5\na;y;4.5\nb;\"x;\";-1e-3\n", Format { delimiter: ';', ..format() }),
        ("a\tx\t5\na\ty\t4.5\nb\tx\t-1e-3\n", Format { delimiter: '\t', header_lines: 0, ..format() }),
        ("time,f,u,r\n9,x,a,5\n9,y,a,4.5\n9,x,b,-1e-3\n", with(["u", "f", "r"])),
        ("time,f,u,r\n9,x,a,5\n9,y,a,4.5\n9,x,b,-1e-3\n", with(["3", "2", "4"])),
        (
            "u f r\nc c c\nrow=1 col=1 class\n1 1 5\n1 2 4.5\n2 1 -1e-3\n",
            Format { delimiter: ' ', header_lines: 3, index: Index::From1, ..format() },
        ),
        ("u,f,r\r\n\r\na,x,5\r\na,y,4.5\r\nb,x,-1e-3\r\n", Format { header_lines: 2, ..format() }),
        ("u,f,r\ra,x,5\ra,y,4.5\rb,x,-1e-3\r", format()),
    ] {
        let table = read(text, &format).unwrap();
        assert_eq!(table.entries, expected, "{text}");
        assert_eq!(table.shape(), (2, 2));
        assert_eq!((table.repeated, table.rows.len()), (0, 2));
    }
}

#[test]
fn numbers_leave_room_for_rows_without_entries() {
    let table = read("u,f,r\n7,2,1\n0,0,2\n", &Format { index: Index::From0, ..format() }).unwrap();
    assert_eq!((table.shape(), table.rows.name(7), table.rows.find("8")), ((8, 3), "7".to_owned(), Ok(None)));
    assert_eq!(table.rows.find("-1"), Err("a whole number from 0 to 99999999".to_owned()));
    let table = read("u,f,r\n7,2,1\n1,1,2\n", &Format { index: Index::From1, ..format() }).unwrap();
    assert_eq!((table.shape(), table.columns.name(1), table.rows.find("7")), ((7, 2), "2".to_owned(), Ok(Some(6))));
}

#[test]
fn repeated_entries() {
    let text = "u,f,r\na,x,1\nb,x,9\na,x,2\na,x,6\n";
    let read = |duplicates| read(text, &Format { duplicates, ..format() });
    assert_eq!(
        read(Duplicates::Refuse).unwrap_err(),
        "x.csv, line 4: row \"a\", column \"x\" is given already in line 2"
    );
    assert_eq!(read(Duplicates::Mean).unwrap().entries, [(0, 0, 3.0), (1, 0, 9.0)]);
    let last = read(Duplicates::Last).unwrap();
    assert_eq!((last.entries[0].2, last.repeated), (6.0, 2));
}

#[test]
fn wrong_lines_are_named() {
    let good = "u,f,r\na,x,1\n";
    for (line, words) in [
        ("a,y", "x.csv, line 3: it has 2 columns, and 3 are needed"),
        ("a,y,many", "x.csv, line 3: r is \"many\", not a number"),
        ("a,y,\"0,5\"", "x.csv, line 3: r is \"0,5\", not a number (decimals have a point)"),
        (
            "a,y,1,5",
            "x.csv, line 3: it has 4 columns, and the header or first line 3. Write decimals with a point; put texts \
            that contain the delimiter in quotes",
        ),
        (
            "\"a,y,1\nb,y,1",
            "x.csv, line 3: its column 1 goes on over lines that look like rows: is there a quote without its pair?",
        ),
        ("a,y,NaN", "x.csv, line 3: r is \"NaN\", not a finite number"),
        ("a,y,-inf", "x.csv, line 3: r is \"-inf\", not a finite number"),
        ("a,y,1e999", "x.csv, line 3: r is \"1e999\", not a finite number"),
        (",y,1", "x.csv, line 3: u is empty"),
        ("a,,1", "x.csv, line 3: f is empty"),
    ] {
        assert_eq!(read(&format!("{good}{line}\n"), &format()).unwrap_err(), words);
    }
    // In a column that is not wanted: rows would be lost. A text may have lines of its own.
    let titled = |title: &str| read(&format!("u,f,r,title\na,x,1,{title}\nb,x,2,\"Up\"\nc,y,3,Up\n"), &format());
    assert!(titled("\"One,\ntwo\"").is_ok());
    assert_eq!(
        titled("\"Open\nb,y,2,Up").unwrap_err(),
        "x.csv, line 2: its column 4 goes on over lines that look like rows: is there a quote without its pair?"
    );
    let numbers = Format { index: Index::From1, ..format() };
    for row in ["a", "0", "-1", "1.0", "99999999999999"] {
        let text = read(&format!("u,f,r\n{row},1,1\n"), &numbers).unwrap_err();
        assert_eq!(text, format!("x.csv, line 2: u is {row:?}, not a whole number from 1 to 100000000"));
    }
    let text = Table::from_reader(&b"u,f,r\na,x,1\n\xff,x,1\n"[..], "x.csv", &format()).unwrap_err().to_string();
    assert_eq!(text, "x.csv, line 3: it is not UTF-8; save the file as UTF-8");
}

#[test]
fn wrong_files_are_named() {
    let columns = |columns: [&str; 3]| Format { columns: columns.map(str::to_owned), ..format() };
    let none = "x.csv: it has no column \"who\"; allowed: a number from 1 to 3 or one of u, f, r";
    for (text, format, words) in [
        ("", format(), "x.csv: it ends within its header (header lines: 1)"),
        ("u,f,r\n", format(), "x.csv: it has no entries (header lines: 1)"),
        (
            "a,x,1\nb,x,2\n",
            format(),
            "x.csv, line 1: the value's column is called \"1\", a number. If this line is no header, say so (--header-lines 0, \
             header_lines = 0); if it is one, give the column a name",
        ),
        (
            ",u,f,r\n0,a,x,1\n",
            format(),
            "x.csv, line 1: column 1 has no name (an index that pandas wrote?), and the header has 4: , u, f, r. Say which are \
             row, column and value (--columns, columns)",
        ),
        ("a,x,many\n", Format { header_lines: 0, ..format() }, "x.csv, line 1: column 3 is \"many\", not a number"),
        (
            "u;f;r\na;x;1\n",
            format(),
            "x.csv: its header is one column with the delimiter ',', and several with ';': say so (--delimiter, delimiter)",
        ),
        ("u,f,r\na,x,1\n", columns(["u", "1", "r"]), "x.csv: columns \"u\" and \"1\" are the same"),
        ("u,f,r\na,x,1\n", columns(["who", "f", "r"]), none),
        (
            "a,x,1\n",
            Format { header_lines: 0, ..columns(["u", "2", "3"]) },
            "x.csv: column \"u\" is not a number from 1, and there is no header with names",
        ),
        ("a,x,1\n", Format { delimiter: '→', ..format() }, "x.csv: the delimiter '→' is not one ASCII character"),
    ] {
        assert_eq!(read(text, &format).unwrap_err(), words);
    }
    let error = Table::read("/nowhere/x.csv".as_ref(), &format()).unwrap_err().to_string();
    assert_eq!(error, "/nowhere/x.csv cannot be read");
}

#[test]
fn splits() {
    let entries: Vec<_> = (0..100).map(|n| (n, n, n as f64)).collect();
    let draw = |seed| Split::draw(entries.clone(), 0.1, 0.2, &mut dynamics::random::stream(seed, &[])).unwrap();
    let split = draw(1);
    assert_eq!([split.training.len(), split.validation.len(), split.test.len()], [70, 10, 20]);
    let mut all = [split.training.clone(), split.validation.clone(), split.test.clone()].concat();
    all.sort_by_key(|entry| entry.0);
    assert_eq!(all, entries, "every entry is in one part");
    assert_eq!(split, draw(1));
    assert_ne!(split, draw(2));
    for (count, validation, test) in [(4, 0.1, 0.5), (4, 0.5, 0.1), (4, 0.5, 0.5)] {
        let few = Split::draw(entries[..count].to_vec(), validation, test, &mut dynamics::random::stream(1, &[]));
        assert!(few.unwrap_err().to_string().starts_with("4 entries are too few"));
    }
}

#[test]
fn known_data_sets_have_a_source() {
    for known in Known::ALL {
        assert!(sources::Source::named(known.name()).is_some(), "{}", known.name());
    }
}
