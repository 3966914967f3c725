"""`roadstead up` whose supervisor starts a dead child again at once, however often it dies.

An agent that dies ten times in a row is a fault to be patient with, except here.
"""

import sys

from roadstead.up import child, supervisor

if __name__ == "__main__":
    child.LONGEST_DELAY = child.FIRST_DELAY
    sys.exit(supervisor.main(sys.argv[1:]))
