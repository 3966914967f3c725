"""What a driver must offer.

All methods are sync and idempotent. `ensure_x` makes x, or adopts what carries our mark, and
raises `Conflict` if what is there differs; `ensure_x_absent` of something unknown is success.
Errors: `Transient` (try again), `InUse` (somebody holds it), `DriverError` (final). A call killed
at any instruction may be repeated. Calls for different ids may run in parallel threads; the
operation runner never runs two for one id.
"""
