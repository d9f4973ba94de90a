import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;

/** The access key that the default chain of the AWS SDK for Java v2 ends up with, as a line of text. */
public final class Chain {
    private Chain() {}

    public static void main(String[] arguments) {
        try {
            System.out.println("key " + DefaultCredentialsProvider.builder().build().resolveCredentials().accessKeyId());
        } catch (Throwable error) {
            System.out.println("error " + String.valueOf(error).replaceAll("\\s+", " "));
        }
        // Its threads would keep the process.
        System.exit(0);
    }
}
