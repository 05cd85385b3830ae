import java.io.FileOutputStream;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;

/** Writes the certificates of a PEM bundle on standard input into the trust store that is its argument. */
class Trust {
    public static void main(String[] arguments) throws Exception {
        KeyStore store = KeyStore.getInstance("JKS");
        store.load(null, null);
        for (Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(System.in)) {
            store.setCertificateEntry("ca" + store.size(), one);
        }
        try (FileOutputStream file = new FileOutputStream(arguments[0])) {
            store.store(file, "changeit".toCharArray());
        }
    }
}
