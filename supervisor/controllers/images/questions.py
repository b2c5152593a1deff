"""Which questions there are: what the apps' units ask of their images, each once."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import msgspec

from supervisor.core.images.concerns import concerned, host_of, named, repository_of
from supervisor.core.images.reference import has_registry
from supervisor.core.images.rules import effective
from supervisor.core.status.affected_apps import same_image
from supervisor.model.app import Deployment
from supervisor.model.image import ImageQuestion, UpdateMode
from supervisor.model.podman import PodmanEvent
from supervisor.model.settings import ImageSettings


class Questions(msgspec.Struct, kw_only=True):
    """The questions of some deployments."""

    by_key: dict[str, ImageQuestion] = {}
    apps: dict[str, dict[str, None]] = {}
    """By the key of the question: names of the apps that ask it."""
    whole: bool = True
    """Whether it is known of every app what it asks."""
    _by_repository: dict[str, list[ImageQuestion]] = {}

    @classmethod
    def of(cls, deployments: Mapping[str, Deployment], settings: ImageSettings) -> "Questions":
        """Gather them; what an image whose updates are off asks is not asked."""
        made = cls(whole=not any(one.failure for one in deployments.values()))
        for app, deployment in deployments.items():
            for unit in deployment.units:
                rule = unit.image_rule
                if rule is None or effective(rule, app, settings).update is UpdateMode.OFF:
                    continue
                question = rule.question
                if question.key not in made.by_key:
                    made.by_key[question.key] = question
                    made._by_repository.setdefault(repository_of(question), []).append(question)
                made.apps.setdefault(question.key, {})[app] = None
        return made

    @property
    def hosts(self) -> frozenset[str]:
        """The registries that are asked."""
        return frozenset(map(host_of, self.by_key.values()))

    def about(self, repository: str) -> Collection[ImageQuestion]:
        """Those about a repository."""
        return self._by_repository.get(repository, ())

    def named(self, names: Iterable[str]) -> Iterator[ImageQuestion]:
        """Yield those about any of these images: `HOST/NAME[:TAG]`, or a name of any registry."""
        seen: set[str] = set()
        for name in names:
            repository, tag = named(name)
            for one in self._of_name(repository):
                for question in concerned(self.about(one), tag):
                    if question.key not in seen:
                        seen.add(question.key)
                        yield question

    def seen_here(
        self, event: PodmanEvent, is_unknown: Callable[[ImageQuestion], bool]
    ) -> Iterator[ImageQuestion]:
        """Yield those that an image on this host answers, and the event may be about.

        It also answers what is unknown, for the time being.
        """
        nameless = not event.name and not event.id
        for one in self.by_key.values():
            if (nameless or same_image(one.image, event)) and (one.is_local or is_unknown(one)):
                yield one

    def _of_name(self, name: str) -> Iterable[str]:
        if has_registry(name):
            return (name,)
        return [one for one in self._by_repository if one.endswith(f"/{name}")]
