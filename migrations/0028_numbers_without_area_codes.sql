-- Numbers outside the North American plan have no area code here: local pools hold those of their destination's country calling code.

-- None but such numbers, in the order of their digits whatever the database's collation, so that a country is one range of it.
create index promo_number_abroad on promo_number (e164 collate "C") where state = 'available' and number_type = 'local' and npa is null;

-- Of a carrier's numbers without area codes, the country's: "+44". Null: `npas` say enough.
alter table number_order add column calling_code text check (calling_code is null or (calling_code ~ '^\+[1-9][0-9]{0,2}$' and npas is null));
