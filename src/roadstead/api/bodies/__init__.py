"""What clients may send, as structs from which the OpenAPI document is printed. `api.schemas` reads
the bodies, and forgives more (a number as text, words for true and false); a test holds both
against each other.
"""
