// SPDX-License-Identifier: Apache-2.0
// JSch, each algorithm alone: PORT USER PASSWORD FILE KEX CIPHERS MACS COMPRESSIONS HOST-KEY-ALGORITHMS.
import com.jcraft.jsch.ChannelExec;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;

public class MatrixJsch {
    private static String[] arguments;
    private static byte[] some;
    private static int failed;

    public static void main(String[] given) throws Exception {
        arguments = given;
        some = Files.readAllBytes(Paths.get(given[3]));
        row("kex", given[4], "kex");
        row("cipher", given[5], "cipher.s2c", "cipher.c2s");
        row("mac", given[6], "mac.s2c", "mac.c2s");
        row("comp", given[7], "compression.s2c", "compression.c2s");
        row("host-key", given[8], "server_host_key");
        System.exit(failed == 0 ? 0 : 1);
    }

    private static void row(String kind, String names, String... settings) {
        for (String name : names.split(",")) {
            // What JSch has a class for; "none" is in its table, too.
            if (JSch.getConfig(name) == null && !kind.equals("host-key"))
                continue;
            if (kind.equals("host-key") && JSch.getConfig("signature." + oldName(name)) == null && !name.equals("ssh-dss")
                    && !name.equals("ssh-rsa") && !name.startsWith("ecdsa"))
                continue;
            cell(kind, name, settings);
        }
    }

    private static String oldName(String name) {
        return name.startsWith("ssh-") ? name.substring(4) : name;
    }

    private static void cell(String kind, String name, String... settings) {
        String what = String.format("%-16s %-10s %s", "jsch", kind, name);
        try {
            throughCat(kind, name, settings);
            System.out.println("ok      " + what);
        } catch (Exception e) {
            failed++;
            System.out.println("FAILED  " + what + ": " + e);
        }
    }

    private static void throughCat(String kind, String name, String... settings) throws Exception {
        Session session = new JSch().getSession(arguments[1], "127.0.0.1", Integer.parseInt(arguments[0]));
        session.setPassword(arguments[2]);
        session.setConfig("StrictHostKeyChecking", "no");
        session.setConfig("PreferredAuthentications", "password");
        session.setConfig("CheckCiphers", "");
        session.setConfig("CheckKexes", "");
        session.setConfig("CheckSignatures", "");
        if (kind.equals("mac")) {
            session.setConfig("cipher.s2c", "aes128-cbc");
            session.setConfig("cipher.c2s", "aes128-cbc");
        }
        for (String setting : settings)
            session.setConfig(setting, name);
        session.setTimeout(200000);
        session.connect(200000);
        try {
            ChannelExec channel = (ChannelExec) session.openChannel("exec");
            channel.setCommand("cat");
            InputStream in = channel.getInputStream();
            OutputStream out = channel.getOutputStream();
            channel.connect(200000);
            out.write(some, 0, some.length / 2);
            out.flush();
            session.rekey();
            out.write(some, some.length / 2, some.length - some.length / 2);
            out.close();
            ByteArrayOutputStream got = new ByteArrayOutputStream();
            byte[] part = new byte[8192];
            for (int n; got.size() <= some.length && (n = in.read(part)) > 0;)
                got.write(part, 0, n);
            if (!Arrays.equals(got.toByteArray(), some))
                throw new Exception("other bytes came back: " + got.size());
        } finally {
            session.disconnect();
        }
    }
}
