"""Says which credentials botocore takes here, and then waits to be looked at."""

import signal

import botocore
import botocore.session

try:
    credentials = botocore.session.get_session().get_credentials()
    print("picks", credentials.method if credentials else "none", flush=True)
except Exception as error:
    print("fails", error, flush=True)
signal.pause()
