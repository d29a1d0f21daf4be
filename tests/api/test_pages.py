"""The documentation, the page behind a digest's link, and what the service says of itself."""

import httpx

from tests.cast import County


def fetch(county: County, path: str) -> httpx.Response:
    return httpx.get(county.address + path, trust_env=False, timeout=30)


def test_the_page_behind_a_link_holds_no_data_and_no_inline_script(county: County) -> None:
    ref = county.register(name="保密项目")
    page = fetch(county, f"/projects/{ref}")
    assert page.status_code == 200 and "保密项目" not in page.text and ref not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'self'; frame-ancestors 'none'") and "<script>" not in page.text
    for asset in ("project.js", "project.css", "docs.js", "swagger/swagger-ui-bundle.js"):
        assert fetch(county, f"/static/{asset}").status_code == 200


def test_openapi_says_how_to_sign_in_and_which_headers_count(county: County) -> None:
    api = fetch(county, "/openapi.json").json()
    move = api["paths"]["/api/v1/projects/{ref}/moves"]["post"]
    assert move["security"] == [{"token": []}] and "token" in api["components"]["securitySchemes"]
    assert {"Idempotency-Key", "If-Match"} <= {one["name"] for one in move["parameters"]}
    amend = api["paths"]["/api/v1/projects/{ref}"]["patch"]["parameters"]
    assert [one["required"] for one in amend if one["name"] == "If-Match"] == [True]


def test_alive_and_ready(county: County) -> None:
    assert fetch(county, "/livez").json()["status"] == "ok"
    assert fetch(county, "/readyz").json()["status"] == "ok"
    with county.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'older'")
    assert fetch(county, "/readyz").status_code == 503
