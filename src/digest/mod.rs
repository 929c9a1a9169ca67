//! The result for other programs: Markdown and JUnit XML.
