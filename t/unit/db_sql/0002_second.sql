-- A backslash \ and "quotes" go through the generator unharmed.
create table late (k int8, unique (k) deferrable initially deferred);
create table note (text text default '\"?');
