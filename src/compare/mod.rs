//! Whether two runs, or two groups of runs, differ, and by how much.
