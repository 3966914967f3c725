"""One function per route: parse, service, view. The same file name per resource as in schemas."""
