"""Units, conventions, errors, doubts and progress: what every room uses."""
