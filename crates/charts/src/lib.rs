//! Plotting on plotters with one theme: lines with bands, log axes, 3-D surfaces and trajectories, histograms.
