//! Which words say which value. Patterns are of texts as `plain` makes them.

use std::sync::LazyLock;

use regex::Regex;

/// Words that say a value, or one of several.
pub(super) struct Form {
    pattern: Regex,
    /// The values for which they are right.
    pub(super) values: &'static [&'static str],
    /// Whether the words may stand beside those of another value without saying otherwise.
    pub(super) is_general: bool,
}

impl Form {
    /// Whether the words are right for a value.
    pub(super) fn says(&self, value: &str) -> bool {
        self.values.contains(&value)
    }

    /// Whether a text has the words. Takes them out, so that no later form finds them.
    pub(super) fn take_out_of(&self, text: &mut String) -> bool {
        let is_there = self.pattern.is_match(text);
        if is_there {
            *text = self.pattern.replace_all(text, "·").into_owned();
        }
        is_there
    }
}

/// Words for price.
const PRICE: &str = "(?:pric(?:e|es|ed|ing)|cost(?:s|ing)?)(?: ranges?| point| bracket| category)?";
/// Words for rating.
const RATING: &str = "(?:(?:customers?'?s?|consumers?|guests?|users?|quality) )?\
    (?:rat(?:ings?|ed|es?)|reviews?|reviewed|scores?|satisfaction|feedback)";
/// Words that may stand between a level and what it is the level of.
const BETWEEN: &str = "is are was by its the a an of in on at as being has have been to end side very quite rather fairly \
    only just range level";
/// Words for those who make a family.
const FAMILY: &str = "(?:famil(?:y|ies)|kids?|child(?:ren)?s?)";
/// Negations.
const NO: &str = r"(?:(?:\w+n't|not|no|non|never|cannot|without|discourages?|avoids?)\b)";
/// Words that may stand between a negation and those whom it is about.
const NEGATED: &str = "a an the at all any very so really actively particularly especially necessarily for to of or as be \
    being is in your young small whole entire noisy however allow allowed allows allowing welcome welcomed welcomes \
    welcoming accept accepts accepting permit permits permitted admit recommend recommended suitable suited conducive \
    appropriate ideal good great best geared meant intended designed considered cater caters catering serve have has bring \
    bringing take toward towards place location amenities establishment restaurant pub coffee shop venue option environment \
    atmosphere kid child friendly";

/// The forms of a slot, in the order in which they are looked for. None for a slot whose values are any words.
pub(super) fn of(slot: &str) -> &'static [Form] {
    match slot {
        "eatType" => &EAT_TYPE,
        "food" => &FOOD,
        "area" => &AREA,
        "priceRange" => &PRICE_RANGE,
        "customer rating" => &CUSTOMER_RATING,
        "familyFriendly" => &FAMILY_FRIENDLY,
        _ => &[],
    }
}

type Forms = LazyLock<Vec<Form>>;

fn form(pattern: &str, values: &'static [&'static str]) -> Form {
    let pattern = Regex::new(&format!(r"\b(?:{pattern})\b")).expect("a constant pattern");
    Form { pattern, values, is_general: false }
}

/// Any number of the words of a list, with a space before each.
fn any_of(words: &str) -> String {
    format!("(?: (?:{}))*", words.split_whitespace().collect::<Vec<_>>().join("|"))
}

/// Words of a level beside a word for what it is the level of, or words that say both.
fn level(level: &str, of: &str, both: &str, values: &'static [&'static str]) -> Form {
    let between = format!("(?:{}|:| by customers)*", any_of(BETWEEN));
    form(&format!("(?:{level}){between} {of}|{of}{between} (?:{level})|{both}"), values)
}

static EAT_TYPE: Forms = LazyLock::new(|| {
    vec![
        form("coffee ?(?:shops?|houses?|place)|cafes?", &["coffee shop"]),
        form("pubs?", &["pub"]),
        Form { is_general: true, ..form("restaurants?", &["restaurant"]) },
    ]
});

static FOOD: Forms = LazyLock::new(|| {
    vec![
        form("fast ?foods?", &["Fast food"]),
        form("english|british", &["English"]),
        form("chinese", &["Chinese"]),
        form("japanese", &["Japanese"]),
        form("french", &["French"]),
        form("italian", &["Italian"]),
        form("indian", &["Indian"]),
    ]
});

static AREA: Forms = LazyLock::new(|| {
    vec![
        form("river ?(?:side|bank|front)?", &["riverside"]),
        form("(?:city|town)(?:'?s)?(?: centre| area)?|centre of (?:the )?(?:city|town)", &["city centre"]),
    ]
});

static PRICE_RANGE: Forms = LazyLock::new(|| {
    vec![
        form(r"(?:less th[ae]n|under|below|up to|lower than|cheaper than|within) £?20(?: pounds)?", &["less than £20"]),
        form(
            r"(?:more th[ae]n|over|above|upwards? of|at least|higher than|exceeding) £?30(?: pounds)?",
            &["more than £30"],
        ),
        form(r"(?:between )?£?20(?: pounds)?(?: ?to ?| and | )£?25(?: pounds)?", &["£20-25"]),
        level(
            "expensive|high(?:er|ly)?(?: end)?|upper|premium|above average",
            PRICE,
            "expensive|pricey|costly|upscale|high end",
            &["high", "more than £30"],
        ),
        level(
            "moderate(?:ly)?|mid(?:dle)?(?: range)?|average(?:ly)?|medium|reasonabl[ey]|fair|normal",
            PRICE,
            "moderate(?:ly)?|mid (?:range|priced?)|reasonabl[ey]",
            &["moderate", "£20-25"],
        ),
        level(
            "low(?:er|ly)?(?: end)?|good|great",
            PRICE,
            "cheap(?:er|ly|est)?|inexpensive(?:ly)?|affordabl[ey]|budget|bargain",
            &["cheap", "less than £20"],
        ),
    ]
});

static CUSTOMER_RATING: Forms = LazyLock::new(|| {
    let stars = |number: &str, word: &str, values| {
        let number = format!("(?:{number}|{word})");
        form(
            &format!("{number}(?: stars?)?(?: out)? (?:of|to) (?:5|five)(?: stars?)?|{number} ?/ ?5|{number} stars?"),
            values,
        )
    };
    vec![
        stars("1", "one", &["1 out of 5"]),
        stars("3", "three", &["3 out of 5"]),
        stars("5", "five", &["5 out of 5"]),
        level(
            "low(?:er|ly|est)?|poor(?:ly)?|bad(?:ly)?|not (?:very )?(?:good|well|highly)",
            RATING,
            "low customer",
            &["low", "1 out of 5"],
        ),
        level(
            "average(?:ly)?|mediocre|decent(?:ly)?|medium|moderate(?:ly)?|mid",
            RATING,
            "average customer",
            &["average", "3 out of 5"],
        ),
        level(
            "high(?:er|ly|est)?|excellent(?:ly)?|great|good|well|top|best|perfect|fantastic",
            RATING,
            "high customer|highly recommended|well liked",
            &["high", "5 out of 5"],
        ),
    ]
});

static FAMILY_FRIENDLY: Forms = LazyLock::new(|| {
    let before = format!("{NO}{} {FAMILY}(?: friendly)?", any_of(NEGATED));
    let after = format!("{FAMILY}(?: friendly)?(?: are| is|:)? (?:{NO}|unfriendly|unwelcome|free)");
    vec![form(&format!("{before}|{after}|adults?(?: only)?"), &["no"]), form(FAMILY, &["yes"])]
});
