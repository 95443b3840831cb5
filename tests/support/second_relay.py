"""Another relay for the slot of a stack's own."""
from deploy.dev.services import Relay


class SecondRelay(Relay):
    name = "relay_b"

    def secret_files(self):
        return {"RELAY_DATABASE_URL_FILE": self.stack.secrets.path("relay.database_url")}
