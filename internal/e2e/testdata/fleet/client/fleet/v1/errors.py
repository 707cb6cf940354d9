"""The error of the API."""


class APIError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{message} ({code})")
