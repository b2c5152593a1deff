"""Ask registries which versions of an image there are. The `Registry` port.

`client` loads the rest when it is needed. `asking` goes through mirrors and registries with
`listing`'s two questions and what `push_times` adds, or for what `artifacts` are made of; `session`
asks one of them as it wants to be asked, with what `credentials`, `certificates` and `tokens` hold;
`endpoints`, `challenges`, `pages` and `refusals` read what it and Podman say, `memory` is what is
known from before, `quirks` who is unlike others.
"""
