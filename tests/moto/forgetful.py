"""moto's server, but it forgets each role session at once, so that its credentials are unknown.

moto words its refusal of credentials in a form of its own; here it has the form of STS.
"""

from moto.core.exceptions import InvalidClientTokenIdError
from moto.server import main
from moto.sts.models import STSBackend, sts_backends

assume_role = STSBackend.assume_role
refuse = InvalidClientTokenIdError.__init__


def assume_role_and_forget(self, *args, **kwargs):
    role = assume_role(self, *args, **kwargs)
    for account in sts_backends.values():
        for backend in account.values():
            backend.assumed_roles.clear()
    return role


def refuse_as_sts_does(self):
    refuse(self)
    self.description = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{self.error_type}</Code><Message>{self.message}</Message></Error></ErrorResponse>"
    )


STSBackend.assume_role = assume_role_and_forget
InvalidClientTokenIdError.__init__ = refuse_as_sts_does

if __name__ == "__main__":
    main()
