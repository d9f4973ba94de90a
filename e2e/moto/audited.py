"""moto's server with AddClientIDToOpenIDConnectProvider, which moto does not have, as the IAM API
reference has it: a client id that is there already is no error."""

from moto.core.responses import EmptyResult
from moto.iam.responses import IamResponse
from moto.server import main

import refusals


def add_client_id(self):
    provider = self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn"))
    client_id = self._get_param("ClientID")
    if client_id not in provider.client_id_list:
        provider.client_id_list.append(client_id)
    return EmptyResult()


IamResponse.add_client_id_to_open_id_connect_provider = add_client_id
refusals.in_the_form_of("https://iam.amazonaws.com/doc/2010-05-08/")

if __name__ == "__main__":
    main()
