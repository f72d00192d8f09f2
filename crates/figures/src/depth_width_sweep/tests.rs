//! Settings of the profiles.

use lab::checked::Steps;

use super::*;
use crate::matrix::given::{refused, settings};

#[test]
fn every_profile_is_valid() {
    for (profile, runs) in [("paper", 100), ("quick", 30), ("smoke", 12)] {
        assert_eq!(
            DepthWidthSweep::plan(&settings("depth-width-sweep", profile), &()).unwrap().len(),
            runs,
            "{profile}"
        );
    }
}

#[test]
fn bad_values_are_named() {
    for (set, key) in
        [("depths.1.step_size=0.0", "depths.1.step_size"), ("depths=[]", "depths"), ("widths.3=0", "widths.3")]
    {
        assert_eq!(refused::<Settings>("depth-width-sweep", &[set]).0, key, "{set}");
    }
    let mut paper: Settings = settings("depth-width-sweep", "paper");
    assert!(paper.as_in_the_paper());
    paper.schedule.max_iterations = Steps::new(10).unwrap();
    assert!(!paper.as_in_the_paper());
}
