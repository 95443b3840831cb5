-- Passwords of the services' roles, which the migrations make without any.
\set auth `cat /run/countersign/auth.password`
\set otp `cat /run/countersign/otp.password`
\set relay `cat /run/countersign/relay.password`
ALTER ROLE countersign_auth PASSWORD :'auth';
ALTER ROLE countersign_otp PASSWORD :'otp';
ALTER ROLE countersign_relay PASSWORD :'relay';
