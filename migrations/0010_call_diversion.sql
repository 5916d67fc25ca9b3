-- The number that forwarded a call to us, sealed like the caller's. Without a hash: nothing is ever looked up by it.

alter table call
  add column diversion_enc bytea,
  add column diversion_last4 text check (length(diversion_last4) <= 4),
  add check ((diversion_enc is null) = (diversion_last4 is null));
