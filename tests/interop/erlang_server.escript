#!/usr/bin/env escript
%% SPDX-License-Identifier: Apache-2.0
%% An Erlang/OTP ssh server of everything that OTP has, whose only command is cat: FOLDER.
%% FOLDER/erlang.host holds its host keys and FOLDER/erlang.users authorized_keys, as OTP names them. Says a line of
%% names for each kind (kex, cipher, mac, comp, host-key), and then where it listens.

-module(erlang_server).
-mode(compile).
-behaviour(ssh_server_channel).
-export([main/1, init/1, handle_msg/2, handle_ssh_msg/2, terminate/2]).

main([Folder]) ->
    {ok, _} = application:ensure_all_started(ssh),
    logger:set_primary_config(level, none),
    Has = ssh_transport:supported_algorithms(),
    Names = [{"kex", kex}, {"cipher", cipher}, {"mac", mac}, {"comp", compression}, {"host-key", public_key}],
    [io:format("~s~s~n", [Kind, [[" ", atom_to_list(A)] || A <- names(Class, Has)]]) || {Kind, Class} <- Names],
    {ok, Daemon} = ssh:daemon({127, 0, 0, 1}, 0,
        [{system_dir, filename:join(Folder, "erlang.host")}, {user_dir, filename:join(Folder, "erlang.users")},
         {auth_methods, "publickey"}, {ssh_cli, {?MODULE, []}},
         {preferred_algorithms, [{Class, pair(Class, names(Class, Has))} || {_, Class} <- Names]}]),
    {ok, Info} = ssh:daemon_info(Daemon),
    io:format("listening on 127.0.0.1:~b~n", [proplists:get_value(port, Info)]),
    receive stop -> ok end.

names(Class, Has) ->
    case proplists:get_value(Class, Has) of
        [{client2server, Names} | _] -> Names;
        Names -> Names
    end.

pair(Class, Names) when Class =:= kex; Class =:= public_key -> Names;
pair(_, Names) -> [{client2server, Names}, {server2client, Names}].

init([]) -> {ok, none}.

handle_msg(_, State) -> {ok, State}.

handle_ssh_msg({ssh_cm, Conn, {exec, Channel, Wanted, _}}, State) ->
    ssh_connection:reply_request(Conn, Wanted, success, Channel),
    {ok, State};
handle_ssh_msg({ssh_cm, Conn, {data, Channel, 0, Data}}, State) ->
    ok = ssh_connection:send(Conn, Channel, Data),
    {ok, State};
handle_ssh_msg({ssh_cm, Conn, {eof, Channel}}, State) ->
    ssh_connection:exit_status(Conn, Channel, 0),
    ssh_connection:send_eof(Conn, Channel),
    {stop, Channel, State};
handle_ssh_msg(_, State) -> {ok, State}.

terminate(_, _) -> ok.
