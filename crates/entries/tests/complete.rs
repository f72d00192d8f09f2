//! The program `complete`, as a user runs it.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::example::sample;

/// A directory with `ratings.csv` and a list of pairs.
fn folder(ratings: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ratings.csv"), ratings).unwrap();
    fs::write(folder.path().join("pairs.csv"), "user,film\nu3,\"film, 4\"\nu3,nobody\nnobody,nothing\n").unwrap();
    fs::write(folder.path().join("header.csv"), "u3,\"film, 4\"\n").unwrap();
    fs::write(folder.path().join("swapped.csv"), "film,user\n\"film, 4\",u3\n").unwrap();
    fs::write(folder.path().join("half.csv"), "who,user\nu3,\"film, 4\"\n").unwrap();
    fs::write(folder.path().join("index.csv"), ",who,what\n0,u3,\"film, 4\"\n").unwrap();
    fs::write(folder.path().join("named.csv"), ",user,film\n0,u3,\"film, 4\"\n").unwrap();
    fs::write(folder.path().join("others.csv"), "who,what\nu3,\"film, 4\"\n").unwrap();
    fs::write(folder.path().join("below.csv"), "user,film\n1,2\n-1,0\n").unwrap();
    folder
}

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_complete"));
    command.current_dir(folder.path()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_matrix_is_completed() {
    let (csv, known) = sample();
    let folder = folder(&csv);
    let output = run(&folder, &["ratings.csv", "--rank", "1,3", "--output", "all.csv"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in [
        "known entries of a 60 × 40 matrix",
        "rank 1, about the mean: validation error",
        "\nrank 3, about",
        "held-out error",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    assert_eq!(
        said.matches("validation error").count(),
        6,
        "two ranks, nothing or the mean or biases taken away: {said}"
    );
    let written = fs::read_to_string(folder.path().join("all.csv")).unwrap();
    assert_eq!(written.lines().count(), 1 + 60 * 40 - known);
    assert!(written.starts_with("user,film,stars\n"));

    // The same bytes on one thread, and for pairs alone the same values.
    let again = run(&folder, &["ratings.csv", "--rank", "1,3", "--output", "one.csv", "--threads", "1", "--quiet"]);
    assert_eq!(fs::read_to_string(folder.path().join("one.csv")).unwrap(), written);
    assert_eq!(text(&again.stdout).lines().count(), 2, "quiet: which settings, and the error");
    let listed = run(&folder, &["ratings.csv", "--rank", "3,1", "--predict", "pairs.csv", "--output", "some.csv"]);
    assert!(text(&listed.stderr).contains("has no known entry: 2, the first in line 3;"));
    let some = fs::read_to_string(folder.path().join("some.csv")).unwrap();
    assert_eq!(some.lines().count(), 4);
    let pair = some.lines().nth(1).unwrap();
    let swapped = ["ratings.csv", "--rank", "3,1", "--predict", "swapped.csv", "--output", "swapped-out.csv"];
    assert!(run(&folder, &swapped).status.success());
    let swapped = fs::read_to_string(folder.path().join("swapped-out.csv")).unwrap();
    assert_eq!(swapped, format!("user,film,stars\n{pair}\n"), "the header says which column is which");
    for (file, warning) in
        [("named.csv", ""), ("others.csv", "the header, line 1 (who, what), has neither user nor film")]
    {
        let arguments = ["ratings.csv", "--rank", "3,1", "--predict", file, "--output", "out.csv"];
        let said = text(&run(&folder, &arguments).stderr);
        assert!(said.contains(warning) && said.is_empty() == warning.is_empty(), "{file}: {said}");
        assert_eq!(fs::read_to_string(folder.path().join("out.csv")).unwrap(), swapped, "{file}");
    }
    assert!(pair.starts_with("u3,\"film, 4\",") && (written.contains(pair) || csv.contains("u3,\"film, 4\",")));
}

#[test]
fn the_error_on_held_out_entries_is_small() {
    let folder = folder(&sample().0);
    let output = run(&folder, &["ratings.csv", "--rank", "3", "--output", "all.csv", "-q"]);
    let said = text(&output.stdout);
    let error: f64 = said.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(error < 0.05, "{said}");
}

#[test]
fn wrong_input_is_refused_and_nothing_is_written() {
    let (csv, _) = sample();
    let repeated = format!("{csv}{}\n", csv.lines().nth(1).unwrap());
    let one_row: String = csv
        .lines()
        .take(1)
        .chain(csv.lines().filter(|line| line.starts_with("u0,")))
        .fold(String::new(), |all, line| all + line + "\n");
    let constant: String = csv.lines().enumerate().fold(String::new(), |all, (n, line)| match n {
        0 => all + line + "\n",
        _ => all + line.rsplit_once(',').unwrap().0 + ",3\n",
    });
    let numbers = "u,f,r\n0,0,1\n1,1,2\n90000000,1,3\n".to_owned();
    let no_header: String = csv.lines().skip(1).fold(String::new(), |all, line| all + line + "\n");
    let huge = format!("{csv}big,\"film, 3\",1e100\n");
    let counted = (0..90).fold("u,f,r\n".to_owned(), |all, n| all + &format!("{},{},{}\n", n % 10, n / 10, n % 7));
    let first = csv.lines().nth(1).unwrap();
    let comma = csv.replacen(first, &format!("{first},5"), 1);
    let quote = csv.replacen(first, &format!("\"{}", first.replace('"', "")), 1);
    let few: String = csv.lines().take(5).fold(String::new(), |all, line| all + line + "\n");
    for (ratings, arguments, words) in [
        (
            &csv,
            &["--rank", "21"][..],
            "--rank 21 is not allowed; allowed: from 1 to 20, half the shorter side of the 60 × 40 matrix",
        ),
        (&csv, &["--rank", "0"], "'--rank <N[,N…]>': allowed: a whole number from 1"),
        (&csv, &["--rank", "two"], "'--rank <N[,N…]>': allowed: a whole number from 1"),
        (&csv, &["--rank", "2,3,2"], "--rank has 2 twice; allowed: each rank once"),
        (&csv, &["--rank", "2", "--depth", "1"], "'--depth <L>': allowed: a whole number from 2 to 10000"),
        (&csv, &["--rank", "2", "--test", "1.5"], "'--test <FRACTION>': allowed: a number between 0 and 1"),
        (&csv, &["--rank", "2", "--test", "NaN"], "allowed: a number between 0 and 1"),
        (&csv, &["--rank", "2", "--max-iterations", "0"], "allowed: a whole number from 1"),
        (&csv, &["--rank", "2", "--patience", "0"], "allowed: a whole number from 1"),
        (&csv, &["--rank", "2", "--threads", "100000"], "allowed: a whole number from 1 to "),
        (&csv, &["--rank", "2", "--threads", "0"], "allowed: a whole number from 1 to "),
        (&csv, &["--rank", "2", "--seed", "-1"], "allowed: a whole number from 0 to 18446744073709551615"),
        (&csv, &["--rank", "2", "--header-lines", "-1"], "allowed: a whole number from 0"),
        (&csv, &["--rank", "2", "--init-scale", "inf"], "allowed: a number above 0"),
        (&csv, &["--rank", "2", "--columns", "1,1,3"], "columns \"1\" and \"1\" are the same"),
        (&csv, &["--rank", "2", "--delimiter", ";"], "and several with ','"),
        (
            &csv,
            &["--rank", "2", "--test", "0.5", "--validation", "0.5"],
            "--validation 0.5 and --test 0.5 leave nothing to train on; allowed: a sum below 1",
        ),
        (&csv, &["--rank", "2", "--step-size", "-1"], "'--step-size <η>': allowed: a number above 0"),
        (&csv, &["--rank", "2", "--step-size", "1e6"], "(a smaller --step-size or --init-scale may help): diverged"),
        (
            &csv,
            &["--rank", "2", "--columns", "user,film,score"],
            "it has no column \"score\"; allowed: a number from 1 to 3 or one of user, film, stars",
        ),
        (&csv, &["--rank", "2", "--columns", "1,2"], "allowed: three columns, separated by commas"),
        (&csv, &["--rank", "2", "--predict", "nowhere.csv"], "nowhere.csv cannot be read"),
        (&csv, &["--rank", "2", "--predict", "ratings.csv", "--output", "./ratings.csv"], "is also what is read"),
        (&csv, &["--rank", "2", "--output", "nowhere/out.csv"], "there is no directory nowhere"),
        #[cfg(target_os = "linux")]
        (&csv, &["--rank", "2", "--output", "/proc/out.csv"], "--output /proc/out.csv: no file can be made in /proc: "),
        (&repeated, &["--rank", "2"], "is given already in line 2"),
        (
            &numbers,
            &["--rank", "1", "--index", "from0"],
            "a 90000001 × 2 matrix is too large for 3 entries; allowed: at most 1000000 rows or columns, or 10 for each entry",
        ),
        (&one_row, &["--rank", "1"], "a 1 × "),
        (&no_header, &["--rank", "2"], "ratings.csv, line 1: the value's column is called"),
        (
            &huge,
            &["--rank", "2"],
            "ratings.csv: the largest of the known values is 1e100 in size; allowed: from 1e-60 to 1e60",
        ),
        (
            &csv,
            &["--rank", "2", "--predict", "header.csv"],
            "header.csv, line 1: row \"u3\" and column \"film, 4\" are a pair",
        ),
        (
            &counted,
            &["--rank", "1", "--index", "from0", "--predict", "below.csv"],
            "below.csv, line 3: row \"-1\", column \"0\": allowed is a whole number from 0 to 99999999",
        ),
        (
            &csv,
            &["--rank", "2", "--predict", "half.csv"],
            "half.csv: its columns are called who and user; allowed: both names of the entries' row and column, user and film, in \
             any order, or neither",
        ),
        (
            &csv,
            &["--rank", "2", "--predict", "index.csv"],
            "index.csv: column 1 has no name (an index that pandas wrote?): call the two columns user and film",
        ),
        (
            &comma,
            &["--rank", "2"],
            "ratings.csv, line 2: it has 4 columns, and the header or first line 3. Write decimals",
        ),
        (&quote, &["--rank", "2"], "ratings.csv, line 2: \"u0,"),
        (&constant, &["--rank", "2"], "known values are 3: there is nothing to learn from them"),
        (&few, &["--rank", "1"], "ratings.csv: "),
        (&csv.replacen(",\"film, 3\",", ",\"film, 3\",x", 1), &["--rank", "2"], "not a number"),
    ] {
        let folder = folder(ratings);
        let before = fs::read_dir(folder.path()).unwrap().count();
        let usual: &[&str] = if arguments.contains(&"--output") { &[] } else { &["--output", "out.csv"] };
        let arguments = [&["ratings.csv"][..], arguments, usual].concat();
        let output = run(&folder, &arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before, "{arguments:?} left a file");
    }
}

/// An exact matrix of rank 2 without a constant part: about the mean its rank is 3.
fn rank_two() -> String {
    let value = |i: usize, j: usize| {
        ((i + 1) as f64).sin() * (j as f64).cos() + (i as f64 * 0.7).cos() * (j as f64 * 1.3).sin()
    };
    let known = (0..60 * 40).map(|n| (n / 40, n % 40)).filter(|(i, j)| (7 * i + 3 * j) % 5 < 3);
    known.fold("row,column,value\n".to_owned(), |all, (i, j)| all + &format!("r{i},c{j},{}\n", value(i, j)))
}

#[test]
fn a_matrix_of_the_rank_guess_is_completed_though_its_centred_one_has_a_higher_rank() {
    let folder = folder(&rank_two());
    let output = run(&folder, &["ratings.csv", "--rank", "2", "--output", "all.csv", "-q"]);
    let said = text(&output.stdout);
    let error: f64 = said.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(said.contains("rank 2, nothing taken away") && error < 1e-3, "{said}");
}

/// On a diagonal with this step size the values as they are diverge; without their mean they do not.
#[test]
fn a_centering_that_diverges_leaves_the_others() {
    let diagonal = (0..40).fold("row,column,value\n".to_owned(), |all, n| all + &format!("{n},{n},{n}\n"));
    let folder = folder(&diagonal);
    let output = run(&folder, &["ratings.csv", "--rank", "2", "--step-size", "1.5", "--output", "all.csv"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(said.contains("nothing taken away (a smaller --step-size or --init-scale may help): diverged"), "{said}");
    assert!(said.contains("about the mean: validation error"), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("all.csv")).unwrap().lines().count(), 1 + 40 * 40 - 40);
}

/// What is said is lost, the predictions are not.
#[cfg(unix)]
#[test]
fn predictions_are_written_when_nobody_reads_what_is_said() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Stdio;

    let folder = folder(&sample().0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_complete"));
    command.current_dir(folder.path()).args(["ratings.csv", "--rank", "3", "--output", "all.csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let written = folder.path().join("all.csv");
    assert!(fs::read_to_string(&written).unwrap().lines().count() > 1000);

    // Its access rights are those of any new file.
    fs::write(folder.path().join("any"), "").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(written), mode(folder.path().join("any")));
}

#[cfg(target_os = "linux")]
#[test]
fn factors_larger_than_memory_are_refused() {
    let entries = "row,column,value\n0,0,1\n1,1,2\n2,3,3\n999999,999999,4\n";
    let folder = folder(entries);
    let text = format!(
        "ulimit -v 4000000 && exec {:?} ratings.csv --index from0 --rank 400000 --output out.csv",
        env!("CARGO_BIN_EXE_complete")
    );
    let output = Command::new("sh").args(["-c", &text]).current_dir(folder.path()).output().unwrap();
    let said = self::text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("error: --rank 400000: factors of a 1000000 × 1000000 matrix"), "{said}");
    assert!(said.contains("need at least 34.92 TiB, and the system does not give so much"), "{said}");
}

/// The file is renamed into its place, where nothing else may be.
#[cfg(unix)]
#[test]
fn links_are_not_replaced() {
    let folder = folder(&sample().0);
    fs::write(folder.path().join("target.csv"), "mine\n").unwrap();
    std::os::unix::fs::symlink("target.csv", folder.path().join("link.csv")).unwrap();
    let output = run(&folder, &["ratings.csv", "--rank", "3", "--output", "link.csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--output link.csv: it is there, and not a regular file"));
    assert_eq!(fs::read_to_string(folder.path().join("link.csv")).unwrap(), "mine\n");
    assert!(fs::symlink_metadata(folder.path().join("link.csv")).unwrap().is_symlink());
}

/// Values without structure: nothing is below the mean but by chance.
#[test]
fn a_completion_that_is_no_better_than_the_mean_is_warned_of() {
    let mut state = 1_u64;
    let mut value = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1 << 24) as f64
    };
    let noise = (0..30 * 20)
        .fold("row,column,value\n".to_owned(), |all, n| all + &format!("r{},c{},{}\n", n / 20, n % 20, value()));
    let folder = folder(&noise);
    for (center, warning) in [
        ("none", "warning: the mean alone has a smaller held-out error, "),
        ("mean", "warning: no iteration made the validation error smaller"),
    ] {
        let arguments = ["ratings.csv", "--rank", "8", "--center", center, "--output", "out.csv", "-q"];
        let output = run(&folder, &arguments);
        let said = text(&output.stderr);
        assert!(output.status.success() && said.contains(warning), "{center}: {said}");
        assert_eq!(said.matches("warning").count(), 1, "{said}");
    }
}
