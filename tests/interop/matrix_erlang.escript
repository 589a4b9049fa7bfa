#!/usr/bin/env escript
%% SPDX-License-Identifier: Apache-2.0
%% Erlang/OTP ssh, each algorithm alone: PORT USER FOLDER KEX CIPHERS MACS COMPRESSIONS HOST-KEY-ALGORITHMS.
%% FOLDER/erlang.NAME holds the key NAME alone, under the file name that OTP looks for.

-define(LIMIT, 200000).

main([Port, User, Folder, Kex, Ciphers, Macs, Comps, HostKeys]) ->
    {ok, _} = application:ensure_all_started(ssh),
    {ok, Some} = file:read_file(filename:join(Folder, "some")),
    %% A failed cell reports itself.
    logger:set_primary_config(level, none),
    Has = ssh_transport:supported_algorithms(),
    C = {list_to_integer(Port), User, Folder, Some},
    Row = fun(Kind, Class, Ours, Fixed) ->
        [cell(C, Kind, A, login(C, Class), [{Class, pair(Class, A)} | Fixed]) || A <- both(Ours, names(Class, Has))]
    end,
    Results =
        Row("kex", kex, Kex, []) ++
        Row("cipher", cipher, Ciphers, []) ++
        Row("mac", mac, Macs, [{cipher, pair(cipher, 'aes128-ctr')}]) ++
        Row("mac+cbc", mac, Macs, [{cipher, pair(cipher, 'aes128-cbc')}]) ++
        Row("comp", compression, Comps, []) ++
        Row("host-key", public_key, HostKeys, []) ++
        [cell(C, "user-key", A, [{auth_methods, "publickey"}, {pref_public_key_algs, [A]}, {user_dir, keys(C, Key)}],
            [{public_key, lists:usort(['ssh-ed25519', A])}]) || {Key, A} <- user_keys()],
    halt(case lists:all(fun(R) -> R end, Results) of true -> 0; false -> 1 end).

user_keys() ->
    [{"ed25519", 'ssh-ed25519'}, {"ecdsa256", 'ecdsa-sha2-nistp256'}, {"ecdsa384", 'ecdsa-sha2-nistp384'},
     {"ecdsa521", 'ecdsa-sha2-nistp521'}, {"rsa", 'rsa-sha2-256'}, {"rsa", 'rsa-sha2-512'}, {"rsa", 'ssh-rsa'}].

%% OTP signs with nothing that it would not take of a host, so those cells log in otherwise.
login(_, public_key) -> [{auth_methods, "password"}, {password, os:getenv("MATRIX_PASSWORD")}];
login(C, _) -> [{auth_methods, "publickey"}, {user_dir, keys(C, "ed25519")}].

keys({_, _, Folder, _}, Key) -> filename:join(Folder, "erlang." ++ Key).

names(Class, Has) ->
    case proplists:get_value(Class, Has) of
        [{client2server, Names} | _] -> Names;
        Names -> Names
    end.

both(Ours, Theirs) ->
    [A || A <- [list_to_atom(N) || N <- string:split(Ours, ",", all)], lists:member(A, Theirs)].

pair(Class, A) when Class =:= kex; Class =:= public_key -> [A];
pair(_, A) -> [{client2server, [A]}, {server2client, [A]}].

cell(C, Kind, A, Login, Algorithms) ->
    What = io_lib:format("~-16s ~-10s ~s", ["erlang", Kind, A]),
    case catch through_cat(C, Login, Algorithms) of
        ok ->
            io:format("ok      ~s~n", [What]),
            true;
        Other ->
            io:format("FAILED  ~s: ~0P~n", [What, Other, 30]),
            false
    end.

%% What OTP leaves out by itself is named as well: preferred_algorithms takes old names.
through_cat({Port, User, _, Some}, Login, Algorithms) ->
    {ok, Conn} = ssh:connect("127.0.0.1", Port,
        [{user, User}, {silently_accept_hosts, true}, {user_interaction, false}, {save_accepted_host, false},
         {connect_timeout, ?LIMIT}, {preferred_algorithms, Algorithms} | Login], ?LIMIT),
    {ok, Channel} = ssh_connection:session_channel(Conn, 1 bsl 21, 32768, ?LIMIT),
    success = ssh_connection:exec(Conn, Channel, "cat", ?LIMIT),
    ok = ssh_connection:send(Conn, Channel, Some, ?LIMIT),
    ok = ssh_connection:send_eof(Conn, Channel),
    Got = collect(Conn, Channel, <<>>),
    ssh:close(Conn),
    case Got =:= Some of
        true -> ok;
        false -> {other_bytes, byte_size(Got)}
    end.

collect(Conn, Channel, Got) ->
    receive
        {ssh_cm, Conn, {data, Channel, _, Data}} ->
            ssh_connection:adjust_window(Conn, Channel, byte_size(Data)),
            collect(Conn, Channel, <<Got/binary, Data/binary>>);
        {ssh_cm, Conn, {closed, Channel}} -> Got;
        {ssh_cm, Conn, _} -> collect(Conn, Channel, Got)
    after ?LIMIT -> {late, Got}
    end.
