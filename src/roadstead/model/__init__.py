"""Plain types: every Struct, state and error the other layers speak in. Imports nothing of ours."""
