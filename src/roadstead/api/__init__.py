"""The wire: routes, microversions, schemas and views of the REST API. Rules live in service."""
