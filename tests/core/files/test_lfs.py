"""Pointers of Git LFS are told of, whatever else is as small."""

from supervisor.core.files.app_files import AppFiles
from supervisor.core.files.lfs import may_be_pointer, pointers
from tests.core.candidates import from_texts

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{0:064}\nsize {1}\n"


def test_pointers() -> None:
    texts = {
        "model.bin": POINTER.format(1, 12345),
        "large.bin": POINTER.format(1, 10**12),
        "about.md": POINTER.format(1, 1).replace("version", "# version"),
        "long.txt": POINTER.format(1, 1) + "x" * 300,
    }
    one, contents = from_texts("web", texts, links={"link": "model.bin"})
    found = list(pointers(AppFiles(one, contents)))
    assert {finding.path for finding in found} == {"apps/web/model.bin", "apps/web/large.bin"}
    assert not any(finding.fatal for finding in found)
    looked_at = {file.path for file in one.files if may_be_pointer(file)}
    assert looked_at == {"model.bin", "large.bin", "about.md"}
