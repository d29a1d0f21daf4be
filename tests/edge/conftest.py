"""One county for a whole file: what is refused changes nothing, so a hundred refusals can share it."""

from collections.abc import Iterator

import pytest

from tests.cast import County, make_settings, running
from tests.databases import Databases


@pytest.fixture(scope="module", params=("sqlite", "postgresql"))
def shared(request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    folder = tmp_path_factory.mktemp("edge")
    url = databases.new(request.param, folder)
    with running(make_settings(url, folder)) as county:
        yield county
    databases.drop(url)
