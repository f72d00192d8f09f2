//! Slot errors of texts that say right and wrong things.

use texts::e2e::Meaning;
use texts::slots::{Counts, errors};

fn said(text: &str, meaning: &str) -> Vec<String> {
    let meaning: Meaning = meaning.parse().unwrap();
    errors(text, &meaning).iter().map(ToString::to_string).collect()
}

/// Fails unless the text says the slot.
#[track_caller]
fn right(text: &str, slot: &str) {
    assert_eq!(said(text, slot), [""; 0], "{text}");
}

#[track_caller]
fn missing(text: &str, slot: &str) {
    assert_eq!(said(text, slot), [format!("missing {slot}")], "{text}");
}

#[track_caller]
fn wrong(text: &str, slot: &str, says: &str) {
    assert_eq!(said(text, slot), [format!("wrong {slot}: says {says}")], "{text}");
}

#[test]
fn names_are_compared_without_case_accents_hyphens_and_article() {
    right("BLUE LANTERN is a pub.", "name[The Blue Lantern]");
    right("It is beside the Cafe-Ondine", "near[Café Ondine]");
    missing("Lantern is a pub.", "name[The Blue Lantern]");
    missing("It has music.", "garden[large]");
    right("It has a large garden.", "garden[large]");
    assert_eq!(said("It is cheap.", "name[-], priceRange[cheap]"), [""; 0], "a value without words");
}

#[test]
fn kinds_of_place_and_food() {
    right("A cafe.", "eatType[coffee shop]");
    right("This pub is a good restaurant.", "eatType[pub]");
    wrong("This pub is a good restaurant.", "eatType[restaurant]", "pub");
    wrong("A good restaurant.", "eatType[pub]", "restaurant");
    missing("A good place.", "eatType[pub]");
    right("It serves British dishes", "food[English]");
    right("a FAST-FOOD place", "food[Fast food]");
    wrong("Italian food", "food[Indian]", "Italian");
    missing("Good food", "food[Indian]");
    missing("Good food", "food[Thai]");
    wrong("Indian food", "food[Thai]", "Indian");
}

#[test]
fn what_names_say_is_not_said_of_the_place() {
    let meaning =
        "name[The French Pub], food[Italian], eatType[restaurant], near[Riverside Indian Kitchen], area[city centre]";
    let text = "The French Pub is an Italian restaurant in the center of the city near Riverside Indian Kitchen.";
    assert_eq!(said(text, meaning), [""; 0]);
}

#[test]
fn each_value_of_a_repeated_slot_is_right_and_must_be_said() {
    let areas = "area[city centre], area[riverside]";
    assert_eq!(said("It lies by the river in the city centre.", areas), [""; 0]);
    assert_eq!(said("It lies by the river.", areas), ["missing area[city centre]"]);
    let kinds = "eatType[coffee shop], eatType[restaurant]";
    assert_eq!(said("A restaurant and coffee shop.", kinds), [""; 0]);
    assert_eq!(
        said("A restaurant and pub.", kinds),
        ["wrong eatType[coffee shop]: says pub", "wrong eatType[restaurant]: says pub"]
    );
    let near = "near[The French Mill], near[Raja Indian Cuisine], food[Italian]";
    assert_eq!(said("Italian food near the French Mill and Raja Indian Cuisine.", near), [""; 0]);
}

#[test]
fn areas() {
    right("in the City Center", "area[city centre]");
    right("in the centre of the city", "area[city centre]");
    right("by the river", "area[riverside]");
    wrong("by the river in the city centre", "area[riverside]", "city centre");
    missing("near the park", "area[riverside]");
}

#[test]
fn prices() {
    right("cheap food", "priceRange[cheap]");
    right("low-priced food", "priceRange[less than £20]");
    right("for under £ 20", "priceRange[less than £20]");
    wrong("for less than £20", "priceRange[cheap]", "less than £20");
    right("prices of £20 - £25", "priceRange[£20-25]");
    right("The price range is moderate", "priceRange[£20-25]");
    right("more than £30 for a meal", "priceRange[more than £30]");
    right("a high price range", "priceRange[high]");
    right("the prices are quite high", "priceRange[high]");
    wrong("the prices are quite high", "priceRange[moderate]", "high");
    missing("it has a high rating", "priceRange[high]");
    right("cheap prices and an average rating", "priceRange[cheap]");
}

#[test]
fn ratings() {
    right("rated 5 out of 5", "customer rating[5 out of 5]");
    right("a three-star place", "customer rating[3 out of 5]");
    right("the customer rating is low", "customer rating[1 out of 5]");
    right("highly rated by customers", "customer rating[high]");
    wrong("rated 5 out of 5", "customer rating[high]", "5 out of 5");
    wrong("customers rate it 1 out of 5", "customer rating[5 out of 5]", "1 out of 5");
    wrong("an average customer rating", "customer rating[low]", "average");
    missing("it has low prices", "customer rating[low]");
}

#[test]
fn families() {
    for text in
        ["It is family-friendly", "Kids are welcome", "for families, not expensive", "not cheap and child friendly"]
    {
        right(text, "familyFriendly[yes]");
        wrong(text, "familyFriendly[no]", "yes");
    }
    for text in [
        "It isn't family-friendly",
        "non kid friendly",
        "no children",
        "Children are not allowed",
        "adults only",
        "a child-free pub",
    ] {
        right(text, "familyFriendly[no]");
        wrong(text, "familyFriendly[yes]", "no");
    }
    missing("It is friendly", "familyFriendly[yes]");
    missing("It is friendly", "familyFriendly[no]");
}

#[test]
fn counts_are_over_all_texts() {
    let first: Meaning = "name[Aromi], food[Indian]".parse().unwrap();
    let second: Meaning = "name[Cotto], area[riverside], familyFriendly[no]".parse().unwrap();
    let counts = Counts::of([("Aromi has French food.", &first), ("Cotto is by the river.", &second)]);
    assert_eq!(counts, Counts { slots: 5, missing: 1, wrong: 1 });
    assert_eq!(counts.rate(), 0.4);
    assert_eq!(Counts::default().rate(), 0.0);
}
