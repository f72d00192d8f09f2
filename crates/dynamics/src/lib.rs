//! The numerical core: deep linear factorizations and how gradient descent moves them.
