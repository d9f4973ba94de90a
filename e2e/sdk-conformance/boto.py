"""The access key that botocore's default chain ends up with, as one line of JSON."""

import json

import botocore.session

try:
    credentials = botocore.session.Session().get_credentials()
    # What the chain found may still have to be fetched.
    answer = {"key": credentials.get_frozen_credentials().access_key} if credentials else {"none": True}
except Exception as error:
    answer = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps(answer))
