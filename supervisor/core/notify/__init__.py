"""What people are told, and when: decisions of the notifiers."""
