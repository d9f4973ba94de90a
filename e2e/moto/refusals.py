"""The form in which AWS's query APIs refuse: moto has one of its own for what it refuses by itself."""

from moto.core.exceptions import AccessDeniedError, InvalidClientTokenIdError


def in_the_form_of(namespace):
    """From now on every refusal has AWS's form, with this namespace."""
    for error in (AccessDeniedError, InvalidClientTokenIdError):
        error.__init__ = described(error.__init__, namespace)


def described(refuse, namespace):
    def refuse_as_aws_does(self, *args, **kwargs):
        refuse(self, *args, **kwargs)
        self.description = (
            f'<ErrorResponse xmlns="{namespace}"><Error><Type>Sender</Type>'
            f"<Code>{self.error_type}</Code><Message>{self.message}</Message></Error></ErrorResponse>"
        )

    return refuse_as_aws_does
