"""Users of images and pods as numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import ImageFailure, InvalidTask
from executor.oci.users import Accounts, UserIds, effective, needs_accounts, needs_name, user_ids, wanted
from executor.spec.security_model import Security

PASSWD = "# accounts\nroot:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:::\n2000:x:7:8:::\nbroken:x:y\nodd:x:z:1:\n"
GROUP = "root:x:0:\nwww:x:33:app,other\nextra:x:34:app\n"
ACCOUNTS = Accounts(PASSWD, GROUP)

KNOWN: list[tuple[str, UserIds]] = [
    ("", UserIds(0, 0)),
    ("root", UserIds(0, 0)),
    ("app", UserIds(1000, 1001, (33, 34))),
    ("app:www", UserIds(1000, 33)),
    ("app:5", UserIds(1000, 5)),
    ("1000", UserIds(1000, 1001, (33, 34))),
    ("1000:0", UserIds(1000, 0)),
    ("55", UserIds(55, 0)),
    ("55:66", UserIds(55, 66)),
    ("2000", UserIds(2000, 0)),
    ("7", UserIds(7, 8)),
    (":33", UserIds(0, 33)),
]


@pytest.mark.parametrize(("user", "ids"), KNOWN)
def test_users(user: str, ids: UserIds) -> None:
    assert user_ids(user, ACCOUNTS, subject="x") == ids


@pytest.mark.parametrize(
    ("user", "ids"),
    [("", UserIds(0, 0)), ("root", UserIds(0, 0)), ("root:root", UserIds(0, 0)), ("5:6", UserIds(5, 6))],
)
def test_users_that_need_no_files(user: str, ids: UserIds) -> None:
    assert user_ids(user, Accounts(), subject="x") == ids


@pytest.mark.parametrize(
    ("user", "file"),
    [("nobody", "passwd"), ("app:nobody", "group"), ("odd", "passwd"), ("-1", "passwd"), ("99999999999", "passwd")],
)
def test_unknown_users(user: str, file: str) -> None:
    with pytest.raises(ImageFailure, match=f"is not in the image's /etc/{file}"):
        user_ids(user, ACCOUNTS, subject="x")


def test_a_name_without_files_says_so() -> None:
    with pytest.raises(ImageFailure) as caught:
        user_ids("app", Accounts(), subject="container web")
    assert caught.value.subject == "container web"
    assert caught.value.message == "the user 'app' is a name, and the image has no /etc/passwd"


@pytest.mark.parametrize(
    ("user", "needed"),
    [("1000:1001", False), ("0:0", False), ("", True), ("1000", True), ("1000:app", True), ("app:1001", True)],
)
def test_when_the_images_files_matter(user: str, *, needed: bool) -> None:
    assert needs_accounts(user) is needed


@pytest.mark.parametrize(
    ("user", "needed"),
    [("", False), ("0", False), ("root", False), ("1000:0", False), ("app", True), ("1000:app", True), (":app", True)],
)
def test_when_nothing_but_the_images_files_will_do(user: str, *, needed: bool) -> None:
    assert needs_name(user) is needed


@pytest.mark.parametrize("passwd", ["1000:x:0:0:::\n", "a\x0b\nb:x:9:9\u2028app:x:0:0:::\n"])
def test_an_image_gives_numbers_no_other_meaning(passwd: str) -> None:
    accounts = Accounts(passwd, "1000:x:0:1000\n")
    assert user_ids("1000", accounts, subject="x") == UserIds(1000, 0)
    with pytest.raises(ImageFailure):
        user_ids("app", accounts, subject="x")


EFFECTIVE: list[tuple[dict[str, Any], str, UserIds]] = [
    ({}, "app", UserIds(1000, 1001, (33, 34, 1001))),
    ({"run_as_user": 1000}, "www", UserIds(1000, 1001, (33, 34, 1001))),
    ({"run_as_user": 4}, "1000:1001", UserIds(4, 0, (0,))),
    ({"run_as_user": 4, "user": "app"}, "", UserIds(4, 0, (0,))),
    ({"user": "app"}, "root", UserIds(1000, 1001, (33, 34, 1001))),
    ({"run_as_group": 9}, "app", UserIds(1000, 9, (9, 33, 34))),
    ({"supplemental_groups": (50, 33)}, "app", UserIds(1000, 1001, (33, 34, 50, 1001))),
    ({"run_as_non_root": True}, "app", UserIds(1000, 1001, (33, 34, 1001))),
]


@pytest.mark.parametrize(("security", "image_user", "ids"), EFFECTIVE)
def test_the_pod_wins_over_the_image(security: dict[str, Any], image_user: str, ids: UserIds) -> None:
    own = Security(**security)
    assert effective(own, user_ids(wanted(own, image_user), ACCOUNTS, subject="x"), subject="x") == ids


def test_root_where_it_must_not_be() -> None:
    with pytest.raises(InvalidTask) as caught:
        effective(Security(run_as_non_root=True), UserIds(0, 0), subject="container app")
    assert caught.value.subject == "container app"


@given(st.text(max_size=20), st.text(":,\nax0159", max_size=60), st.text(":,\nax0159", max_size=60))
def test_any_files(user: str, passwd: str, group: str) -> None:
    try:
        ids = user_ids(user, Accounts(passwd, group), subject="x")
    except ImageFailure:
        return
    assert all(0 <= number < 2**31 for number in (ids.uid, ids.gid, *ids.groups))
