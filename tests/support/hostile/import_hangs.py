"""An import that does not return."""

import time

time.sleep(3600)
