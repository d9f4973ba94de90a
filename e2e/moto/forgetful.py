"""moto's server, but it forgets each role session at once, so that its credentials are unknown."""

from moto.server import main
from moto.sts.models import STSBackend, sts_backends

import refusals

assume_role = STSBackend.assume_role


def assume_role_and_forget(self, *args, **kwargs):
    role = assume_role(self, *args, **kwargs)
    for account in sts_backends.values():
        for backend in account.values():
            backend.assumed_roles.clear()
    return role


STSBackend.assume_role = assume_role_and_forget
refusals.in_the_form_of("https://sts.amazonaws.com/doc/2011-06-15/")

if __name__ == "__main__":
    main()
