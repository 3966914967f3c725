"""What a request must look like: types, lengths, microversion gates. No database."""
