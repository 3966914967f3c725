pytest_plugins = ["tests.lab.fixtures", "tests.services.fixtures"]
